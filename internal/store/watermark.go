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
	if complete := b.durable.complete(b.first); complete > b.watermark {
		b.watermark = complete
		s.risen = append(s.risen, b)
	}
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
