package cli

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
	"strings"
)

// event is one event of a text/event-stream.
type event struct {
	// id is the last id the stream gave, with this event or before it.
	id   string
	name string
	data []byte
}

// maxEvent bounds an event, and a line of one.
const maxEvent = 1 << 20

var errEventTooLarge = errors.New("an event of more than 1 MiB")

// readEvents yields the events of an event stream as they end, and at last the
// error that ended the stream, io.EOF included. The format is that of the HTML
// Living Standard, section 9.2.6; "retry" is ignored, as we have our own
// back-off. An event that the stream's end cuts off is dropped.
func readEvents(r io.Reader) iter.Seq2[event, error] {
	return func(yield func(event, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, 0, 4096), maxEvent)
		lines.Split(eventLines())
		var e event
		for lines.Scan() {
			line := lines.Bytes()
			if len(line) > 0 {
				e.take(line)
			} else if whole, ok := e.end(); ok && !yield(whole, nil) {
				return
			}
			if len(e.data) > maxEvent {
				yield(event{}, errEventTooLarge)
				return
			}
		}
		yield(event{}, endOf(lines.Err()))
	}
}

// endOf names the end of a stream in our words.
func endOf(err error) error {
	switch {
	case err == nil:
		return io.EOF
	case errors.Is(err, bufio.ErrTooLong):
		return errEventTooLarge
	default:
		return err
	}
}

// take adds one line that is not empty.
func (e *event) take(line []byte) {
	field, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(field) {
	case "event":
		e.name = string(value)
	case "data":
		e.data = append(append(e.data, value...), '\n')
	case "id":
		if id := string(value); !strings.ContainsRune(id, 0) {
			e.id = id
		}
	}
}

// end takes the event that an empty line completes, if there is one, and
// leaves its id to the next.
func (e *event) end() (event, bool) {
	whole := *e
	*e = event{id: whole.id}
	whole.data = bytes.TrimSuffix(whole.data, []byte("\n"))
	return whole, whole.data != nil
}

// eventLines returns a split function for lines that end in LF, CR or CR LF.
// A CR ends its line at once, so that an event is not held back until the next
// one shows whether an LF follows. A byte order mark at the start is dropped.
func eventLines() bufio.SplitFunc {
	afterCR, started := false, false
	return func(data []byte, atEOF bool) (int, []byte, error) {
		skip := 0
		if !started {
			const mark = "\uFEFF"
			if len(data) < len(mark) && !atEOF && strings.HasPrefix(mark, string(data)) {
				return 0, nil, nil
			}
			if bytes.HasPrefix(data, []byte(mark)) {
				skip = len(mark)
			}
			started = true
		}
		if afterCR && skip < len(data) {
			if data[skip] == '\n' {
				skip++
			}
			afterCR = false
		}
		end := bytes.IndexAny(data[skip:], "\r\n")
		if end < 0 {
			return skip, nil, nil
		}
		afterCR = data[skip+end] == '\r'
		return skip + end + 1, data[skip : skip+end], nil
	}
}
