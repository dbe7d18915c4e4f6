package node

import (
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/pzem"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// metering is what the node knows of its meter.
type metering struct {
	reading smartmeter.Measurement
	latest  smartmeter.Sample
	wanted  want
	// failures counts the reads since the last that could be believed.
	failures int
	// unpowered is set when the meter was silent: what it says next comes from
	// a chip that is just starting, until warmUntil.
	unpowered bool
	warmUntil smartmeter.Millis
	counter   counter

	silent    bool              // as announced, or about to be
	changedAt smartmeter.Millis // when silent changed
}

// meteringAtBoot returns what the node knows of its meter at boot.
func meteringAtBoot(c *Config) metering {
	m := metering{unpowered: c.PoweredFor < c.WarmUp}
	if c.WarmUp > 0 {
		m.counter.from = settling - c.PoweredFor
	}
	return m
}

// want says what a read of the meter is for.
type want uint8

const (
	wantSample want = 1 << iota
	wantEnergy
	wantWatch // to see whether a limit is exceeded
)

// silentAfter is how many reads must fail before the meter is called silent.
const silentAfter = 3

// measure reads the meter if anything wants it read, and publishes what it
// said. A limit that is exceeded comes first.
func (n *Node) measure(t smartmeter.Millis, at smartmeter.Instant) {
	n.wantWhatIsDue(t)
	if n.metering.wanted == 0 || t < n.due.read || !n.read(t) {
		return
	}
	n.protect(t)
	if n.metering.wanted&wantSample != 0 {
		n.sample(t, at)
	}
	if n.metering.wanted&wantEnergy != 0 {
		n.publishEnergy(t)
	}
	n.metering.wanted = 0
}

// wantWhatIsDue notes for what the meter is to be read.
func (n *Node) wantWhatIsDue(t smartmeter.Millis) {
	if t >= n.due.sample {
		n.metering.wanted |= wantSample
		n.due.sample = following(n.due.sample, n.conf.Metrics, t)
	}
	if n.connected && t >= n.due.energy {
		n.metering.wanted |= wantEnergy
		n.due.energy = following(n.due.energy, n.conf.Energy, t)
	}
	if n.watching() && t >= n.due.watch {
		n.metering.wanted |= wantWatch
		n.due.watch = t + watchEvery
	}
}

// read asks the meter and reports whether its answer can be believed. If not,
// due.read says when to ask again.
func (n *Node) read(t smartmeter.Millis) bool {
	m := &n.metering
	err := n.meter.Read(&m.reading)
	implausible := err == nil && m.reading.Implausible() != 0
	if implausible {
		n.counts.Implausible++
	}
	if err == pzem.ErrSilent && n.warmUp > 0 {
		m.counter.from = t + meterRetry + settling // it may be back before the next read
	}
	if err != nil || implausible {
		m.unpowered = m.unpowered || implausible || err == pzem.ErrSilent
		m.warmUntil = 0
		n.readFailed(t)
		return false
	}
	if n.warmingUp(t) {
		n.due.read = m.warmUntil
		return false
	}
	if m.reading.Has.Has(smartmeter.Energy) && !m.counter.believes(m.reading.Energy, t) {
		m.reading.Has &^= smartmeter.Energy
		m.reading.Energy = 0
		n.counts.Jumps++
	}
	m.unpowered, m.warmUntil, m.failures = false, 0, 0
	n.meterIs(false, t)
	return true
}

// warmingUp reports whether the meter has answered for too short a time, after
// it had no power, to be believed.
func (n *Node) warmingUp(t smartmeter.Millis) bool {
	m := &n.metering
	if !m.unpowered || n.warmUp == 0 {
		return false
	}
	if m.warmUntil == 0 {
		m.warmUntil = t + n.warmUp
	}
	return t < m.warmUntil
}

// readFailed counts a read without a believable answer.
func (n *Node) readFailed(t smartmeter.Millis) {
	m := &n.metering
	n.counts.MeterFailed++
	m.latest.Measurement = smartmeter.Measurement{}
	m.failures = min(m.failures+1, silentAfter)
	if m.failures == silentAfter {
		n.meterIs(true, t)
	}
	n.due.read = t + min(meterRetry, n.conf.Metrics)
	if n.watching() {
		n.due.read = t + watchEvery
	}
}

// meterIs notes whether the meter is silent, and that the hub is to be told
// when that changed.
func (n *Node) meterIs(silent bool, t smartmeter.Millis) {
	m := &n.metering
	if m.silent == silent {
		return
	}
	m.silent, m.changedAt = silent, t
	n.pending ^= pendingMeter // back before anyone was told: nothing to tell
}

// sample keeps what was read, and publishes it.
func (n *Node) sample(t smartmeter.Millis, at smartmeter.Instant) {
	s := &n.metering.latest
	*s = smartmeter.Sample{Measurement: n.metering.reading, Boot: n.boot, T: t, At: at}
	n.keep(s)
	n.sendLive(s, t)
}

// publishEnergy publishes the meter's register in the fielded form, as soon as
// it can be believed.
func (n *Node) publishEnergy(t smartmeter.Millis) {
	if !n.connected {
		return
	}
	if !n.metering.reading.Has.Has(smartmeter.Energy) {
		n.due.energy = min(n.due.energy, t+meterRetry)
		return
	}
	payload := wire.AppendEnergy(n.payload[:0], n.metering.reading.Energy)
	if !n.link.Publish(n.topics.energy, payload, 0, true) {
		n.counts.NotTaken++
	}
}
