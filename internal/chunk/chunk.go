// Package chunk packs one channel's readings of a UTC day into bytes, and back.
package chunk
