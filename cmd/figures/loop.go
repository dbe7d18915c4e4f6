package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// loopDisk is ext4 on a block device of its own, which is a file in memory, so
// that nobody else writes to it and nothing has to wait for a disk.
type loopDisk struct {
	dir    string
	device string
	undo   []func() error // last first
}

const loopBytes = 1 << 30

// newLoopDisk needs root, for mount and losetup.
func (b *bench) newLoopDisk(ctx context.Context, options string) (_ *loopDisk, err error) {
	base, err := b.newDir()
	if err != nil {
		return nil, err
	}
	l := &loopDisk{dir: filepath.Join(base, "disk")}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close())
		}
	}()
	memory := filepath.Join(base, "memory")
	image := filepath.Join(memory, "image")
	if err := errors.Join(os.Mkdir(memory, 0o700), os.Mkdir(l.dir, 0o700)); err != nil {
		return nil, err
	}
	if _, err := l.do(ctx, []string{"umount", memory}, "mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d", loopBytes), "tmpfs", memory); err != nil {
		return nil, err
	}
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, loopBytes)); err != nil {
		return nil, err
	}
	// Without lazy initialization, which would write later.
	if _, err := l.do(ctx, nil, "mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image); err != nil {
		return nil, err
	}
	device, err := l.do(ctx, nil, "losetup", "--find", "--show", image)
	if err != nil {
		return nil, err
	}
	l.device = device
	l.undo = append(l.undo, func() error { return command(context.WithoutCancel(ctx), "losetup", "--detach", device) })
	_, err = l.do(ctx, []string{"umount", l.dir}, "mount", "-o", options, device, l.dir)
	return l, err
}

// do runs a command, notes how it is undone, and returns what it says.
func (l *loopDisk) do(ctx context.Context, undo []string, name string, args ...string) (string, error) {
	said, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", name, err, said)
	}
	if undo != nil {
		l.undo = append(l.undo, func() error { return command(context.WithoutCancel(ctx), undo[0], undo[1:]...) })
	}
	return strings.TrimSpace(string(said)), nil
}

func command(ctx context.Context, name string, args ...string) error {
	if said, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, said)
	}
	return nil
}

func (l *loopDisk) close() (err error) {
	for i := len(l.undo) - 1; i >= 0; i-- {
		err = errors.Join(err, l.undo[i]())
	}
	l.undo = nil
	return err
}

// written returns how many bytes were written to the device so far; what the
// file system has in memory is written first.
func (l *loopDisk) written() (float64, error) {
	dir, err := os.Open(l.dir)
	if err != nil {
		return 0, err
	}
	err = errors.Join(unix.Syncfs(int(dir.Fd())), dir.Close())
	if err != nil {
		return 0, err
	}
	stat, err := os.ReadFile("/sys/block/" + filepath.Base(l.device) + "/stat")
	if err != nil {
		return 0, err
	}
	return sectorsWritten(string(stat))
}

// sectorsWritten reads the seventh field, in sectors of 512 bytes whatever the
// device's own are (Linux, Documentation/block/stat.rst), as bytes.
func sectorsWritten(stat string) (float64, error) {
	fields := strings.Fields(stat)
	if len(fields) < 7 {
		return 0, fmt.Errorf("a block device's stat has %d fields", len(fields))
	}
	sectors, err := strconv.ParseFloat(fields[6], 64)
	return sectors * 512, err
}
