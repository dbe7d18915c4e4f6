package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// collect returns all events of a stream in a form to compare, and its end.
func collect(r io.Reader) (events []string, end error) {
	for e, err := range readEvents(r) {
		if err != nil {
			return events, err
		}
		events = append(events, fmt.Sprintf("%s|%s|%s", e.id, e.name, e.data))
	}
	return events, errors.New("the events end without an error")
}

func TestReadEvents(t *testing.T) {
	tests := map[string]struct {
		stream string
		want   []string
	}{
		"nothing":                   {"", nil},
		"one":                       {"id: 7\nevent: relay\ndata: {}\n\n", []string{"7|relay|{}"}},
		"no space after the colon":  {"id:7\nevent:relay\ndata:{}\n\n", []string{"7|relay|{}"}},
		"only one space is eaten":   {"data:  x\n\n", []string{"|| x"}},
		"lines that end in CR LF":   {"id: 7\r\ndata: a\r\n\r\ndata: b\r\n\r\n", []string{"7||a", "7||b"}},
		"lines that end in CR":      {"id: 7\rdata: a\r\rdata: b\r\r", []string{"7||a", "7||b"}},
		"data of several lines":     {"data: a\ndata\ndata: b\n\n", []string{"||a\n\nb"}},
		"empty data":                {"data\n\n", []string{"||"}},
		"an id without data":        {"id: 7\nevent: x\n\ndata: a\n\n", []string{"7||a"}},
		"an id that takes one back": {"id: 7\ndata: a\n\nid\ndata: b\n\n", []string{"7||a", "||b"}},
		"an id with a NUL":          {"id: 7\ndata: a\n\nid: 8\x00\ndata: b\n\n", []string{"7||a", "7||b"}},
		"comments and others":       {": hi\nretry: 10\nfoo: bar\nfoo\n\n:\ndata: a\n\n", []string{"||a"}},
		"a byte order mark":         {"\uFEFFdata: a\n\n", []string{"||a"}},
		"a mark in the middle":      {"data: a\n\n\uFEFFdata: b\n\n", []string{"||a"}},
		"cut off before its end":    {"data: a\n\ndata: b\n", []string{"||a"}},
		"cut off in its last line":  {"data: a\n\ndata: b\n\nid: 9", []string{"||a", "||b"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for how, r := range map[string]io.Reader{
				"at once":      strings.NewReader(tt.stream),
				"byte by byte": iotest.OneByteReader(strings.NewReader(tt.stream)),
			} {
				got, end := collect(r)
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", how, diff)
				}
				if end != io.EOF {
					t.Errorf("%s: ended with %v, want io.EOF", how, end)
				}
			}
		})
	}
}

// TestEventsAreNotHeldBack sees that an event arrives before the next byte.
func TestEventsAreNotHeldBack(t *testing.T) {
	for _, newline := range []string{"\n", "\r", "\r\n"} {
		t.Run(fmt.Sprintf("%q", newline), func(t *testing.T) {
			r, w := io.Pipe()
			go io.WriteString(w, "data: a"+newline+newline)
			for e, err := range readEvents(r) {
				if err != nil || string(e.data) != "a" {
					t.Errorf("got %q, %v", e.data, err)
				}
				break
			}
			r.Close()
		})
	}
}

func TestReadEventsRefusesTooMuch(t *testing.T) {
	line := "data: " + strings.Repeat("x", 1000) + "\n"
	for name, stream := range map[string]io.Reader{
		"in a line":       strings.NewReader("data: " + strings.Repeat("x", maxEvent)),
		"in many lines":   strings.NewReader(strings.Repeat(line, 2000)),
		"without an end":  io.MultiReader(strings.NewReader("data: "), endless{}),
		"lines for ever":  bufio.NewReader(&repeating{text: line}),
		"ids of a length": strings.NewReader("id: " + strings.Repeat("7", maxEvent)),
	} {
		t.Run(name, func(t *testing.T) {
			if events, end := collect(stream); end != errEventTooLarge || len(events) != 0 {
				t.Errorf("got %d events and %v, want none and %v", len(events), end, errEventTooLarge)
			}
		})
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

type repeating struct{ text, rest string }

func (r *repeating) Read(p []byte) (int, error) {
	if r.rest == "" {
		r.rest = r.text
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func TestReadEventsPassesOnErrors(t *testing.T) {
	broken := iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("data: a\n\n")))
	if _, end := collect(broken); end != iotest.ErrTimeout {
		t.Errorf("ended with %v, want %v", end, iotest.ErrTimeout)
	}
}

// TestEventsComeBackAsWritten writes events in a random one of the format's
// many spellings and cuts the stream into random pieces.
func TestEventsComeBackAsWritten(t *testing.T) {
	text := rapid.StringMatching(`[ -~äλ]{0,20}`)
	rapid.Check(t, func(t *rapid.T) {
		var stream strings.Builder
		var want []string
		for range rapid.IntRange(0, 5).Draw(t, "events") {
			newline := rapid.SampledFrom([]string{"\n", "\r", "\r\n"}).Draw(t, "newline")
			id, name := text.Draw(t, "id"), text.Draw(t, "name")
			lines := rapid.SliceOfN(text, 1, 4).Draw(t, "lines")
			fmt.Fprintf(&stream, "id: %s%sevent: %s%s", id, newline, name, newline)
			for _, line := range lines {
				fmt.Fprintf(&stream, "data: %s%s", line, newline)
			}
			stream.WriteString(newline)
			want = append(want, id+"|"+name+"|"+strings.Join(lines, "\n"))
		}
		var pieces []io.Reader
		for rest := stream.String(); rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			pieces = append(pieces, strings.NewReader(rest[:n]))
			rest = rest[n:]
		}
		got, end := collect(io.MultiReader(pieces...))
		if diff := cmp.Diff(want, got); diff != "" || end != io.EOF {
			t.Fatalf("ended with %v (-want +got):\n%s", end, diff)
		}
	})
}

// FuzzReadEvents holds that pieces of any size give the same events.
func FuzzReadEvents(f *testing.F) {
	f.Add("id: 7\nevent: relay\ndata: {}\n\n")
	f.Add("\uFEFFdata: a\r\rdata: b\r\n\r\n: c\n")
	f.Fuzz(func(t *testing.T, stream string) {
		whole, wholeEnd := collect(strings.NewReader(stream))
		pieces, piecesEnd := collect(iotest.OneByteReader(strings.NewReader(stream)))
		if diff := cmp.Diff(whole, pieces); diff != "" || wholeEnd != piecesEnd {
			t.Errorf("at once %v, byte by byte %v (-at once +byte by byte):\n%s", wholeEnd, piecesEnd, diff)
		}
	})
}
