package bus

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"
)

// link is the network connection below the MQTT library, which it spares three
// things: a read for every few bytes, packets that are too large to be held,
// and to give up messages that had arrived because a receipt could not be sent.
type link struct {
	net.Conn
	log  *slog.Logger
	in   *bufio.Reader
	left int // bytes of the present packet that Read has not returned

	omitted uint64
	logged  time.Time
}

func newLink(conn net.Conn, log *slog.Logger) *link {
	return &link{Conn: conn, log: log, in: bufio.NewReaderSize(conn, 16<<10)}
}

// Write writes within patience. When the broker is gone it discards p instead
// of failing: what the broker had sent before is still to be read, and the end
// of that will tell.
func (l *link) Write(p []byte) (int, error) {
	if err := l.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	n, err := l.Conn.Write(p)
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
		return n, err
	}
	return len(p), l.SetReadDeadline(time.Now().Add(patience))
}

// Read returns bytes of packets that are not too large.
func (l *link) Read(p []byte) (int, error) {
	for l.left == 0 {
		if err := l.next(); err != nil {
			return 0, err
		}
	}
	n, err := l.in.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}

// Types of packets, in the upper half of the first byte (MQTT 3.1.1 section
// 2.2.1).
const (
	publishType = 3
	subackType  = 9
)

// subackLength is that of the answer to a subscription to one filter, which is
// how they are made. The MQTT library dies of a longer one.
const subackLength = 3

// next looks at the next packet's header. A publication that is too large it
// omits, another packet ends the connection.
func (l *link) next() error {
	header, length, err := l.header()
	switch {
	case err != nil:
		return err
	case header[0]>>4 == subackType && length != subackLength:
		return errMalformed
	case len(header)+length <= maxPacket:
		l.left = len(header) + length
		return nil
	case header[0]>>4 != publishType:
		return fmt.Errorf("it sends a packet of %d bytes that is no message", length)
	}
	qos := header[0] >> 1 & 3
	if _, err := l.in.Discard(len(header)); err != nil {
		return err
	}
	return l.omit(length, qos)
}

var errMalformed = errors.New("it sends what is not MQTT")

// header returns the fixed header of the next packet, which stays unread, and
// the length of what follows it (MQTT 3.1.1 section 2.2.3).
func (l *link) header() (header []byte, length int, err error) {
	for n := 2; n <= 5; n++ {
		header, err = l.in.Peek(n)
		if err != nil {
			return nil, 0, err
		}
		digit := header[n-1]
		length |= int(digit&0x7f) << (7 * (n - 2))
		if digit < 0x80 {
			return header, length, nil
		}
	}
	return nil, 0, errMalformed
}

// omit reads a publication's length bytes behind its fixed header without
// keeping them, and receipts it: the broker would wait for that, and send it
// again (MQTT 3.1.1 section 3.3).
func (l *link) omit(length int, qos byte) error {
	var size [2]byte
	if _, err := io.ReadFull(l.in, size[:]); err != nil {
		return err
	}
	topic := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(l.in, topic); err != nil {
		return err
	}
	rest := length - len(size) - len(topic)
	if qos > 0 {
		receipt := []byte{0x40, 2, 0, 0} // PUBACK, section 3.4
		if _, err := io.ReadFull(l.in, receipt[2:]); err != nil {
			return err
		}
		if _, err := l.Write(receipt); err != nil {
			return err
		}
		rest -= 2
	}
	l.tell(string(topic), length)
	_, err := l.in.Discard(rest)
	return err
}

// tell logs what is left out, once a minute at the most.
func (l *link) tell(topic string, length int) {
	l.omitted++
	if time.Since(l.logged) < time.Minute {
		return
	}
	l.logged = time.Now()
	l.log.Warn("left out a message that is too large", "topic", topic, "bytes", length, "limit", maxPacket,
		"omitted", l.omitted, "note", "counted for this connection; logged once a minute")
}
