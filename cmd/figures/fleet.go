package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// fleet is many nodes with a connection each. Its connections are cut when the
// context that it was joined with ends.
type fleet struct {
	links []*link
	stop  func() bool
}

// lanes is how many goroutines share the work of a fleet: enough that one
// writes while another waits, few enough to cost little.
const lanes = 4

// patience bounds the wait for any one thing: an answer, all answers of one
// measurement, a program's start or end.
const patience = 30 * time.Second

// join connects n nodes named after name. Each subscribes to its own commands,
// as nodes do.
func join(ctx context.Context, address, name string, n int) (*fleet, error) {
	f := &fleet{links: make([]*link, n)}
	parts, dialing := errgroup.WithContext(ctx)
	for lane := range lanes {
		parts.Go(func() error {
			for i := lane; i < n; i += lanes {
				l, err := dial(dialing, address, fmt.Sprintf("%s-%05d", name, i))
				if err != nil {
					return fmt.Errorf("connect node %d of %d: %w", i+1, n, err)
				}
				f.links[i] = l
			}
			return nil
		})
	}
	if err := parts.Wait(); err != nil {
		f.cut()
		return nil, err
	}
	f.stop = context.AfterFunc(ctx, f.cut)
	return f, nil
}

// cut closes the connections under whoever uses them.
func (f *fleet) cut() {
	for _, l := range f.links {
		if l != nil {
			_ = l.conn.Close() // whoever uses it finds out
		}
	}
}

// leave closes all connections.
func (f *fleet) leave() {
	f.stop()
	f.cut()
}

// expect gives every answer of a measurement its time.
func (f *fleet) expect() error {
	for _, l := range f.links {
		if err := l.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
	}
	return nil
}

// burst has every node publish n messages as fast as the broker takes them, and
// returns when all are taken. A node with QoS 1 waits for each answer.
func (f *fleet) burst(n int, qos byte, form form) error {
	if err := f.expect(); err != nil {
		return err
	}
	var parts errgroup.Group
	for lane := range lanes {
		parts.Go(func() error {
			for range n {
				for i := lane; i < len(f.links); i += lanes {
					if err := f.links[i].publish(qos, form); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	if err := parts.Wait(); err != nil {
		return err
	}
	return f.settle()
}

// pace has the nodes publish n messages in all, in turn and at rate per second,
// and returns when all are taken.
func (f *fleet) pace(n, rate int, qos byte, form form) error {
	if err := f.expect(); err != nil {
		return err
	}
	begin := time.Now()
	for i := range n {
		due := begin.Add(time.Duration(i) * time.Second / time.Duration(rate))
		if early := time.Until(due); early > 0 {
			time.Sleep(max(early, time.Millisecond))
		}
		if err := f.links[i%len(f.links)].publish(qos, form); err != nil {
			return err
		}
	}
	return f.settle()
}

// settle returns when the broker has taken everything.
func (f *fleet) settle() error {
	for _, l := range f.links {
		if err := l.settle(); err != nil {
			return err
		}
	}
	return nil
}
