package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A disk of 64 MiB fills up under load, with something else. The hub says so,
// goes on to serve what it has, takes what comes, and acknowledges none of it;
// when there is space again, so it is well again, and nothing is missing.
func TestDiskFillsUnderLoad(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t)
	args := []string{"--log-level", "error", "hub", "--open", "--data", filepath.Join(disk, "data"), "--sync", "100ms", "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0"}
	hub := startReady(t, args...)
	seed := rand.Uint64()
	nodes, load := newRecording("recorder", 2, seed), newRecording("load", 2, seed)
	nodes.begin(hub.mqtt, never, 4)
	nodes.await(t)

	ballast := filepath.Join(disk, "ballast")
	fill(t, ballast)
	for _, n := range load.nodes {
		n.measurePast(60_000, load.began) // more than the log has room for
	}
	load.begin(hub.mqtt, never, never)
	eventually(t, "it says that the log cannot be written, and why", func() error {
		if err := hub.storeFails(); err == nil || !strings.Contains(err.Error(), "write the log: the disk is full") {
			return fmt.Errorf("it says %v", err)
		}
		return nil
	})
	nodes.check(t, hub)
	load.check(t, hub)

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is well again", hub.storeFails)
	eventually(t, "all is acknowledged", func() error { return errors.Join(nodes.caughtUp(), load.caughtUp()) })
	hub.kill()
	nodes.ended.Wait()
	load.ended.Wait()
	hub = startReady(t, args...)
	nodes.check(t, hub)
	load.check(t, hub)
	nodes.log(t)
	load.log(t)
}

// storeFails returns what the hub's health says of what it writes. That so small
// a disk is nearly full it says all the time, under another name.
func (p *process) storeFails() error {
	p.t.Helper()
	var health struct {
		Status string
		Checks struct {
			Store struct{ Status, Detail string }
		}
	}
	status := p.call("GET", "/api/v1/health", "", &health)
	if health.Checks.Store.Status == "ok" {
		return nil
	}
	return fmt.Errorf("%d %s: %s", status, health.Status, health.Checks.Store.Detail)
}

const smallDiskBytes = 64 << 20

// smallDisk returns a directory with a file system of its own, ext4 on a loop
// device, or in memory where there are none.
func smallDisk(t *testing.T) string {
	t.Helper()
	image, dir := filepath.Join(t.TempDir(), "disk"), t.TempDir()
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, smallDiskBytes); err != nil {
		t.Fatal(err)
	}
	loop := try("mkfs.ext4", "-q", "-m", "0", image)
	if loop == nil {
		loop = try("mount", "-o", "loop", image, dir)
	}
	if loop != nil {
		memory := try("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d", smallDiskBytes), "tmpfs", dir)
		if memory != nil {
			t.Fatalf("this test needs a small disk, and so root, with loop devices and mkfs.ext4 (Debian package e2fsprogs) or tmpfs: %v", errors.Join(loop, memory))
		}
	}
	t.Cleanup(func() {
		if err := try("umount", dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func try(name string, args ...string) error {
	if said, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(said)))
	}
	return nil
}

// fill writes a file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for piece := make([]byte, 1<<20); len(piece) > 0; {
		_, err := f.Write(piece)
		if err == nil {
			err = f.Sync()
		}
		switch {
		case errors.Is(err, unix.ENOSPC):
			piece = piece[:len(piece)/2]
		case err != nil:
			t.Fatal(err)
		}
	}
}
