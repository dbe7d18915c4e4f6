package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/iot-smart-meter/smartmeter"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// maxWaiting bounds the readings that wait in memory while the disk refuses:
// a day of ten devices, about 15 MB.
const maxWaiting = 200_000

var errFull = errors.New("the data directory has refused writes for so long that no more readings fit in memory; free some disk space")

// channelID is a metering channel as nodes name it.
type channelID struct {
	node    smartmeter.NodeID
	channel uint8
}

// batch is what becomes durable together.
type batch struct {
	readings []smartmeter.Reading
	devices  map[smartmeter.DeviceID]smartmeter.Device
	commands map[string]smartmeter.Command
	retained []smartmeter.Message // all of them, if not nil
}

func newBatch() batch {
	return batch{
		devices:  make(map[smartmeter.DeviceID]smartmeter.Device),
		commands: make(map[string]smartmeter.Command),
	}
}

func (b *batch) empty() bool {
	return len(b.readings) == 0 && len(b.devices) == 0 && len(b.commands) == 0 && b.retained == nil
}

// follow adds a later batch to b.
func (b *batch) follow(later batch) {
	b.readings = append(b.readings, later.readings...)
	for id, d := range later.devices {
		b.devices[id] = d
	}
	for id, c := range later.commands {
		b.commands[id] = c
	}
	if later.retained != nil {
		b.retained = later.retained
	}
}

// AppendReadings takes readings in any order; see the hub's Store. The error
// says that memory is full because the disk has refused for long.
func (s *Store) AppendReadings(readings ...smartmeter.Reading) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting.readings)+len(readings) > maxWaiting {
		return errFull
	}
	s.waiting.readings = append(s.waiting.readings, readings...)
	return nil
}

// PutDevice keeps d in place of the device with its id.
func (s *Store) PutDevice(d smartmeter.Device) error {
	s.mu.Lock()
	s.waiting.devices[d.ID] = d
	s.mu.Unlock()
	s.hurry()
	return nil
}

// PutCommand keeps c in place of the command with its id.
func (s *Store) PutCommand(c smartmeter.Command) error {
	s.mu.Lock()
	s.waiting.commands[c.ID] = c
	s.mu.Unlock()
	s.hurry()
	return nil
}

// PutRetained keeps messages in place of all that were kept for the broker.
func (s *Store) PutRetained(messages []smartmeter.Message) error {
	s.mu.Lock()
	s.waiting.retained = append([]smartmeter.Message{}, messages...)
	s.mu.Unlock()
	s.hurry()
	return nil
}

// hurry makes the waiting writes durable without waiting for the beat.
func (s *Store) hurry() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Sync makes all that was written before durable. What could not be written
// waits on, and the next Sync tries again.
func (s *Store) Sync(ctx context.Context) error {
	if err := s.writing.lock(ctx); err != nil {
		return err
	}
	defer s.writing.unlock()
	s.mu.Lock()
	b := s.waiting
	s.waiting = newBatch()
	s.mu.Unlock()
	if b.empty() {
		return nil
	}
	err := s.write(b)
	if err == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b.follow(s.waiting)
	s.waiting = b
	return fmt.Errorf("write to the database: %w", err)
}

// write makes b durable, all or nothing. The caller holds writing.
func (s *Store) write(b batch) (err error) {
	end, err := sqlitex.ImmediateTransaction(s.writer)
	if err != nil {
		return err
	}
	defer func() {
		end(&err)
		if err != nil {
			clear(s.channels) // a key may have been rolled back
		}
	}()
	slices.SortStableFunc(b.readings, byChannel)
	for _, r := range b.readings {
		if err := s.writeReading(r); err != nil {
			return err
		}
	}
	for _, d := range b.devices {
		if err := s.writeDevice(d); err != nil {
			return err
		}
	}
	for _, c := range b.commands {
		if err := s.writeCommand(c); err != nil {
			return err
		}
	}
	if b.retained == nil {
		return nil
	}
	return s.writeRetained(b.retained)
}

// byChannel brings together what SQLite keeps together: a batch in the order of
// arrival touches another page with every reading, which with a thousand nodes
// costs three times as much. What came first of a channel stays first.
func byChannel(x, y smartmeter.Reading) int {
	return cmp.Or(cmp.Compare(x.Node, y.Node), cmp.Compare(x.Channel, y.Channel))
}

// A sample that comes again is kept once; a node that measures its quantities
// apart may send two within the same millisecond.
const insertReading = `
	INSERT INTO reading (channel, at, boot, seq, timing, voltage, current, power, energy, frequency, power_factor)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (channel, at, boot, seq) DO UPDATE SET
		voltage = coalesce(voltage, excluded.voltage),
		current = coalesce(current, excluded.current),
		power = coalesce(power, excluded.power),
		energy = coalesce(energy, excluded.energy),
		frequency = coalesce(frequency, excluded.frequency),
		power_factor = coalesce(power_factor, excluded.power_factor)
	ON CONFLICT DO NOTHING`

func (s *Store) writeReading(r smartmeter.Reading) error {
	key, err := s.channelKey(channelID{r.Node, r.Channel})
	if err != nil {
		return err
	}
	stmt, err := s.writer.Prepare(insertReading)
	if err != nil {
		return err
	}
	stmt.BindInt64(1, key)
	stmt.BindInt64(2, int64(r.At))
	stmt.BindInt64(3, int64(r.Boot))
	stmt.BindInt64(4, int64(r.Seq))
	stmt.BindInt64(5, int64(r.Timing))
	for i, v := range []int64{int64(r.Voltage), int64(r.Current), int64(r.Power), int64(r.Energy), int64(r.Frequency), int64(r.PowerFactor)} {
		if r.Has.Has(smartmeter.Quantities(1 << i)) {
			stmt.BindInt64(6+i, v)
		} else {
			stmt.BindNull(6 + i)
		}
	}
	return run(stmt)
}

// channelKey returns the small key of a channel, made on its first reading.
func (s *Store) channelKey(id channelID) (int64, error) {
	if key, ok := s.channels[id]; ok {
		return key, nil
	}
	args := []any{string(id.node), int64(id.channel)}
	if err := sqlitex.Execute(s.writer, `INSERT OR IGNORE INTO channel (node, channel) VALUES (?, ?)`, &sqlitex.ExecOptions{Args: args}); err != nil {
		return 0, err
	}
	key, err := findChannel(s.writer, id)
	if err == nil {
		s.channels[id] = key
	}
	return key, err
}

func (s *Store) writeDevice(d smartmeter.Device) error {
	return sqlitex.Execute(s.writer, `INSERT OR REPLACE INTO device (id, name, room, kind, node, channel, parent) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		&sqlitex.ExecOptions{Args: []any{string(d.ID), d.Name, d.Room, string(d.Kind), string(d.Node), int64(d.Channel), string(d.Parent)}})
}

func (s *Store) writeCommand(c smartmeter.Command) error {
	return sqlitex.Execute(s.writer, `INSERT INTO command (id, device, "on", cause, asked_at, state, watts, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET state = excluded.state, watts = excluded.watts, reason = excluded.reason`,
		&sqlitex.ExecOptions{Args: []any{c.ID, string(c.Device), c.On, string(c.Cause), int64(c.AskedAt), string(c.State), string(c.Watts), c.Reason}})
}

func (s *Store) writeRetained(messages []smartmeter.Message) error {
	if err := sqlitex.Execute(s.writer, `DELETE FROM retained`, nil); err != nil {
		return err
	}
	for _, m := range messages {
		if err := sqlitex.Execute(s.writer, `INSERT OR REPLACE INTO retained (topic, payload, qos) VALUES (?, ?, ?)`,
			&sqlitex.ExecOptions{Args: []any{m.Topic, m.Payload, int64(m.QoS)}}); err != nil {
			return err
		}
	}
	return nil
}

// EraseDevice forgets d, its readings and its commands.
func (s *Store) EraseDevice(ctx context.Context, d smartmeter.Device) (err error) {
	if err := s.Sync(ctx); err != nil {
		return err
	}
	if err := s.writing.lock(ctx); err != nil {
		return err
	}
	defer s.writing.unlock()
	end, err := sqlitex.ImmediateTransaction(s.writer)
	if err != nil {
		return err
	}
	defer end(&err)
	delete(s.channels, channelID{d.Node, d.Channel})
	for _, statement := range []string{
		`DELETE FROM reading WHERE channel = (SELECT key FROM channel WHERE node = :node AND channel = :channel)`,
		`DELETE FROM channel WHERE node = :node AND channel = :channel`,
		`DELETE FROM command WHERE device = :id`,
		`DELETE FROM device WHERE id = :id`,
	} {
		if err := s.erase(statement, d); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) erase(statement string, d smartmeter.Device) error {
	stmt, err := s.writer.Prepare(statement)
	if err != nil {
		return err
	}
	for i := 1; i <= stmt.BindParamCount(); i++ {
		switch name := stmt.BindParamName(i); name {
		case ":node":
			stmt.SetText(name, string(d.Node))
		case ":channel":
			stmt.SetInt64(name, int64(d.Channel))
		case ":id":
			stmt.SetText(name, string(d.ID))
		}
	}
	return run(stmt)
}

// gate is a lock that one need not wait for for ever: a disk may hang.
type gate chan struct{}

func (g gate) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case g <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the data directory is busy: %w", ctx.Err())
	}
}

func (g gate) unlock() { <-g }

// run executes a bound statement that yields no rows.
func run(stmt *sqlite.Stmt) error {
	_, err := stmt.Step()
	return errors.Join(err, stmt.Reset())
}
