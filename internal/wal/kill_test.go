package wal_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/wal"
)

var kills = flag.Int("wal.kills", 10, "how often the appending process is killed")

// victimDir, in the environment, makes the test binary the process to be killed.
const victimDir = "SMARTMETER_WAL_VICTIM_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		if err := appendForEver(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// appendForEver appends under load and says on standard output what is durable.
func appendForEver(dir string) error {
	l, err := openReal(dir, func(wal.Record) error { return nil })
	if err != nil {
		return err
	}
	for {
		for range rand.IntN(200) {
			payload := make([]byte, 16+rand.IntN(100))
			if _, err := l.Append(9, sealed(payload)); err != nil {
				return err
			}
		}
		if err := l.Sync(context.Background()); err != nil {
			return err
		}
		if _, err := fmt.Println(l.Durable()); err != nil {
			return err
		}
	}
}

func openReal(dir string, record func(wal.Record) error) (*wal.Log, error) {
	d, err := disk.OpenDir(dir)
	if err != nil {
		return nil, err
	}
	l, report, err := wal.Open(wal.Config{FS: d, Dir: "hot", SegmentBytes: 128 << 10}, record)
	if err == nil && len(report.Damage) > 0 {
		err = fmt.Errorf("damage: %v", report.Damage)
	}
	return l, err
}

// sealed fills a payload so that isSealed knows it again.
func sealed(payload []byte) []byte {
	seed := rand.Uint64()
	binary.LittleEndian.PutUint64(payload, seed)
	for i := 8; i < len(payload); i++ {
		payload[i] = byte(seed>>(i%8*8)) ^ byte(i)
	}
	return payload
}

func isSealed(payload []byte) bool {
	if len(payload) < 8 {
		return false
	}
	seed := binary.LittleEndian.Uint64(payload)
	for i := 8; i < len(payload); i++ {
		if payload[i] != byte(seed>>(i%8*8))^byte(i) {
			return false
		}
	}
	return true
}

// TestKilledProcess kills a process that appends to a log on the real disk, and
// looks for every record that it said was durable.
func TestKilledProcess(t *testing.T) {
	dir := t.TempDir()
	for i := range *kills {
		acknowledged := killAfter(t, dir, 1+i*3)
		next := wal.Position(1)
		l, err := openReal(dir, func(r wal.Record) error {
			if r.Position != next {
				return fmt.Errorf("record %d where %d should be", r.Position, next)
			}
			if r.Type != 9 || !isSealed(r.Payload) {
				return fmt.Errorf("record %d is not what was appended", r.Position)
			}
			next++
			return nil
		})
		if err != nil {
			t.Fatalf("kill %d: %v", i+1, err)
		}
		if next <= acknowledged {
			t.Fatalf("kill %d: delivered up to %d, acknowledged up to %d", i+1, next-1, acknowledged)
		}
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// killAfter starts the victim, kills it when it has acknowledged so many times,
// and returns the last position it acknowledged before it was gone.
func killAfter(t *testing.T, dir string, acknowledgements int) wal.Position {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), victimDir+"="+dir)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var last wal.Position
	lines := bufio.NewReader(out)
	for n := 1; ; n++ {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // also half a line: the process is gone
		}
		position, err := strconv.ParseUint(strings.TrimSpace(line), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		last = wal.Position(position)
		if n == acknowledgements {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Success() || complaint.Len() > 0 {
		t.Fatalf("the process ended by itself: %v %s", err, complaint.String())
	}
	return last
}
