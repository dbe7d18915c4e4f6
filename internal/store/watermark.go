package store

import "github.com/iot-smart-meter/smartmeter"

// Lost notes that a node does not have the samples of a boot below first any
// more: what is not kept of them never will be.
func (s *Store) Lost(node smartmeter.NodeID, channel uint8, boot smartmeter.BootID, first uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.channelOf(channelID{node, channel})
	if b := c.boot(boot); first > b.first {
		b.first = first
		s.raise(b)
	}
}

// raise notes how far a boot is complete. The caller holds mu.
func (s *Store) raise(b *boot) {
	if complete := b.complete(); complete > b.watermark {
		b.watermark = complete
		s.risen = append(s.risen, b)
	}
}

// complete returns up to where every sample is durable, or lost: what came in
// and waits for the disk is neither, even if its node has lost it meanwhile.
func (b *boot) complete() uint32 {
	complete := b.durable.complete(b.first)
	for _, run := range b.taken {
		if run.first > complete {
			break
		}
		kept, any := b.durable.around(run.first)
		switch {
		case any && kept.last >= min(run.last, complete):
		case any:
			return kept.last
		case len(b.durable) < maxSpans || run.last >= b.durable[0].first: // it is not among the forgotten
			return run.first - 1
		}
	}
	return complete
}

// Watermarks returns those that rose since the last call. Every sample of the
// boot up to a watermark is durable, or lost for good.
func (s *Store) Watermarks() []smartmeter.Watermark {
	s.mu.Lock()
	defer s.mu.Unlock()
	var risen []smartmeter.Watermark
	told := make(map[*boot]bool, len(s.risen))
	for _, b := range s.risen {
		if !told[b] {
			told[b] = true
			risen = append(risen, b.asWatermark())
		}
	}
	s.risen = nil
	return risen
}

// Watermark returns up to where a boot of a channel is complete, Seq 0 if nothing
// is known of it.
func (s *Store) Watermark(node smartmeter.NodeID, channel uint8, id smartmeter.BootID) smartmeter.Watermark {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.channels[channelID{node, channel}]; c != nil && c.boots[id] != nil {
		return c.boots[id].asWatermark()
	}
	return smartmeter.Watermark{Node: node, Channel: channel, Boot: id}
}

func (b *boot) asWatermark() smartmeter.Watermark {
	return smartmeter.Watermark{Node: b.channel.id.node, Channel: b.channel.id.channel, Boot: b.id, Seq: b.watermark}
}
