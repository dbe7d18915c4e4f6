package board

import (
	"errors"
	"io"
	"strconv"
	"strings"
)

// longestRequest bounds what a browser may send to the form: the head of one is
// some 600 bytes, and all fields escaped are another 1,700.
const longestRequest = 4096

// RequestBuffer is where ServeForm reads a request.
type RequestBuffer [longestRequest]byte

var errRequest = errors.New("board: this is no request for the form")

// ServeForm answers one request for the set-up form of a node. It returns what a
// person asked for, if this was it and it can be reached; all else gets the form
// again, with what is wrong. Reads must end by themselves, by a deadline.
func ServeForm(conn io.ReadWriter, id string, buffer *RequestBuffer) (asked Access, ok bool, err error) {
	body, isPost, err := readRequest(conn, buffer[:])
	if err != nil {
		return Access{}, false, err
	}
	problem := ""
	if isPost {
		var field, reason string
		if asked, field, reason = ParseForm(body); reason == "" {
			return asked, true, answer(conn, donePage(id))
		}
		problem = field + " " + reason
	}
	asked.Password, asked.Token = "", "" // nobody reads them back
	return Access{}, false, answer(conn, formPage(id, &asked, problem))
}

// readRequest reads a request of HTTP/1, and returns its body if it is a POST.
// Whatever a GET asks for is the form: phones look for the internet at many
// addresses, and show what they find instead.
func readRequest(conn io.Reader, buffer []byte) (body string, isPost bool, err error) {
	for n := 0; n < len(buffer); {
		more, err := conn.Read(buffer[n:])
		n += more
		head, rest, whole := strings.Cut(string(buffer[:n]), "\r\n\r\n")
		if whole {
			isPost = strings.HasPrefix(head, "POST ")
			length := contentLength(head)
			switch {
			case !isPost && !strings.HasPrefix(head, "GET "), length < 0:
				return "", false, errRequest
			case !isPost || len(rest) >= length:
				return rest[:min(len(rest), length)], isPost, nil
			}
		}
		if err != nil {
			return "", false, err
		}
	}
	return "", false, errRequest
}

// contentLength returns the length of the body that a head announces, 0 if it
// says nothing of it, -1 if it cannot be.
func contentLength(head string) int {
	for line := range strings.SplitSeq(head, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		if !strings.EqualFold(name, "content-length") {
			continue
		}
		length, err := strconv.ParseUint(strings.TrimSpace(value), 10, 16)
		if err != nil || length > longestRequest {
			return -1
		}
		return int(length)
	}
	return 0
}

// ParseForm reads the fields of the form as browsers send them
// (application/x-www-form-urlencoded), and returns what is wrong with them.
func ParseForm(body string) (a Access, field, reason string) {
	port := ""
	fields := map[string]*string{
		"network": &a.Network, "password": &a.Password, "broker": &a.Broker, "port": &port, "username": &a.Username, "token": &a.Token,
	}
	for pair := range strings.SplitSeq(body, "&") {
		name, escaped, _ := strings.Cut(pair, "=")
		into := fields[name]
		if into == nil {
			continue
		}
		text, ok := unescape(escaped)
		if !ok || strings.ContainsAny(text, "\r\n\x00") {
			return a, name, "cannot be read"
		}
		*into = text
	}
	a.Network, a.Broker = strings.TrimSpace(a.Network), strings.TrimSpace(a.Broker)
	a.Port = DefaultPort
	if port = strings.TrimSpace(port); port != "" {
		number, err := strconv.ParseUint(port, 10, 16)
		if a.Port = uint16(number); err != nil {
			a.Port = 0
		}
	}
	field, reason = a.Objection()
	return a, field, reason
}

// unescape turns plus signs into spaces and %41 into A.
func unescape(s string) (string, bool) {
	text := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			text = append(text, ' ')
		case '%':
			if i+2 >= len(s) {
				return "", false
			}
			b, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				return "", false
			}
			text = append(text, byte(b))
			i += 2
		default:
			text = append(text, s[i])
		}
	}
	return string(text), true
}

// answer sends a page. The connection is closed after it.
func answer(conn io.Writer, page string) error {
	_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\nConnection: close\r\nContent-Length: "+
		strconv.Itoa(len(page))+"\r\n\r\n"+page)
	return err
}

const pageHead = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Set up this meter</title>` +
	`<style>body{font:18px/1.5 sans-serif;margin:1.5em auto;max-width:24em;padding:0 1em}label{display:block;margin:.8em 0}` +
	`input,button{font:inherit;width:100%;box-sizing:border-box;padding:.4em}p[role]{border-left:.3em solid #b00;padding-left:.7em}</style>`

// formPage is the form, with what was filled in before but the secrets.
func formPage(id string, a *Access, problem string) string {
	page := pageHead + "<h1>Set up " + escapeText(id) + "</h1>"
	if problem != "" {
		page += `<p role="alert">` + escapeText(problem) + ".</p>"
	}
	port := ""
	if a.Port != 0 {
		port = strconv.Itoa(int(a.Port))
	}
	input := func(label, name, kind, value string) string {
		return "<label>" + label + ` <input name="` + name + `" type="` + kind + `" value="` + escapeText(value) + `"></label>`
	}
	return page + `<form method="post" action="/">` +
		input("WiFi", "network", "text", a.Network) +
		input("Its password", "password", "password", "") +
		input("Address of the hub or broker", "broker", "text", a.Broker) +
		input("Port, 1883 if empty", "port", "number", port) +
		input("User name there, if it wants one", "username", "text", a.Username) +
		input("Token there", "token", "password", "") +
		`<button>Save and connect</button></form></html>`
}

// donePage says what happens now.
func donePage(id string) string {
	return pageHead + "<h1>Saved</h1><p>" + escapeText(id) + " joins the WiFi now. If this hotspot comes back in a minute, it could not: look at the WiFi's name and password.</p></html>"
}

// escapeText makes a text safe between tags and in quotes.
func escapeText(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(s)
}
