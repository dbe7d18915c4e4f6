package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a program under test. It is killed when the context that it was
// started with ends.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	// ready is how long it took until it said that it serves, addresses what it
	// said then: "ready http=127.0.0.1:8080 mqtt=…".
	ready     time.Duration
	addresses map[string]string
	said      tail
	done      chan struct{} // closed when it has ended
	err       error         // how; valid when done
	last      string        // line that it printed; valid when done
}

// launch starts a program and returns when it prints its ready line.
func launch(ctx context.Context, path string, args ...string) (*process, error) {
	begin := time.Now()
	p, ready, err := spawn(ctx, path, args...)
	if err != nil {
		return nil, err
	}
	select {
	case line := <-ready:
		p.ready, p.addresses = time.Since(begin), parseReady(line)
		return p, nil
	case <-p.done:
		return nil, fmt.Errorf("%s ended before it was ready: %s", p, p.said.String())
	case <-time.After(patience):
		return nil, errors.Join(fmt.Errorf("%s is not ready after %v", p, patience), p.stop())
	}
}

// launchAt starts a program that says nothing and returns when it accepts
// connections.
func launchAt(ctx context.Context, address, path string, args ...string) (*process, error) {
	p, _, err := spawn(ctx, path, args...)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		select {
		case <-p.done:
			return nil, fmt.Errorf("%s ended before it was ready: %s", p, p.said.String())
		default:
		}
		if conn, err := net.Dial("tcp", address); err == nil {
			return p, conn.Close()
		}
	}
	return nil, errors.Join(fmt.Errorf("%s does not listen after %v", p, patience), p.stop())
}

// spawn starts a program whose standard input is open as long as we live. The
// channel gets its ready line.
func spawn(ctx context.Context, path string, args ...string) (*process, <-chan string, error) {
	p := &process{cmd: exec.CommandContext(ctx, path, args...), done: make(chan struct{})}
	p.cmd.Stderr = &p.said
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	p.stdin = stdin
	if err := p.cmd.Start(); err != nil {
		return nil, nil, err
	}
	ready := make(chan string, 1)
	go func() {
		defer close(p.done)
		for in := bufio.NewScanner(stdout); in.Scan(); {
			if p.last = in.Text(); strings.HasPrefix(p.last, "ready ") {
				ready <- p.last
			}
		}
		p.err = p.cmd.Wait()
	}()
	return p, ready, nil
}

func parseReady(line string) map[string]string {
	addresses := make(map[string]string)
	for word := range strings.FieldsSeq(line) {
		if name, address, ok := strings.Cut(word, "="); ok {
			addresses[name] = address
		}
	}
	return addresses
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// String names the program for errors.
func (p *process) String() string { return strings.Join(p.cmd.Args, " ") }

// stop asks the program to end and waits for that. A program that ends badly is
// an error, and so is one that does not end.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w: %s", p, err, p.said.String())
	}
	_ = p.stdin.Close() // the program may be gone by now, and its pipe with it
	select {
	case <-p.done:
	case <-time.After(patience):
		return errors.Join(fmt.Errorf("%s does not end when asked to", p), p.cmd.Process.Kill())
	}
	if p.err != nil {
		return fmt.Errorf("%s: %w: %s", p, p.err, p.said.String())
	}
	return nil
}

// kill ends the program as a power cut does, as far as a process can.
func (p *process) kill() error {
	err := p.cmd.Process.Kill()
	<-p.done
	return err
}

// tail keeps the end of what a program says on its standard error.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

const tailLength = 2048

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if extra := len(t.kept) - tailLength; extra > 0 {
		t.kept = append(t.kept[:0], t.kept[extra:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.kept))
}
