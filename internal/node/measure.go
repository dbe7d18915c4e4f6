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

	silent    bool              // as announced, or about to be
	changedAt smartmeter.Millis // when silent changed
}

// want says what a read of the meter is for.
type want uint8

const (
	wantSample want = 1 << iota
	wantEnergy
)

// silentAfter is how many reads must fail before the meter is called silent.
const silentAfter = 3

// measure reads the meter if anything wants it read, and publishes what it
// said.
func (n *Node) measure(t smartmeter.Millis, at smartmeter.Instant) {
	if t >= n.due.sample {
		n.metering.wanted |= wantSample
		n.due.sample = following(n.due.sample, n.conf.Metrics, t)
	}
	if n.connected && t >= n.due.energy {
		n.metering.wanted |= wantEnergy
		n.due.energy = following(n.due.energy, n.conf.Energy, t)
	}
	if n.metering.wanted == 0 || t < n.due.read {
		return
	}
	if !n.read(t) {
		return
	}
	if n.metering.wanted&wantSample != 0 {
		n.sample(t, at)
	}
	if n.metering.wanted&wantEnergy != 0 {
		n.publishEnergy()
	}
	n.metering.wanted = 0
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
	if err != nil || implausible {
		m.unpowered = m.unpowered || implausible || err == pzem.ErrSilent
		m.warmUntil = 0
		n.readFailed(t)
		return false
	}
	if m.unpowered && n.warmUp > 0 {
		if m.warmUntil == 0 {
			m.warmUntil = t + n.warmUp
		}
		if t < m.warmUntil {
			n.due.read = m.warmUntil
			return false
		}
	}
	m.unpowered, m.warmUntil, m.failures = false, 0, 0
	n.meterIs(false, t)
	return true
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

// publishEnergy publishes the meter's register in the fielded form.
func (n *Node) publishEnergy() {
	if !n.connected {
		return
	}
	payload := wire.AppendEnergy(n.payload[:0], n.metering.reading.Energy)
	if !n.link.Publish(n.topics.energy, payload, 0, true) {
		n.counts.NotTaken++
	}
}
