package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/iot-smart-meter/smartmeter"
)

// Login is `smartmeter login`.
type Login struct {
	Hub
	Name  string `help:"The account; asked for unless told."`
	Role  string `enum:"viewer,operator,admin,own" default:"own" help:"What the command line may do here: viewer, operator or admin, not above your own role, which is what counts unless told."`
	Days  int    `default:"365" help:"After how many days you have to log in again: ${default} unless told, 0 for never."`
	Print bool   `help:"Print the token instead of keeping it, for scripts: SMARTMETER_TOKEN."`
}

// Help is what --help shows below the flags.
func (*Login) Help() string {
	return `Asks for your password, makes a token at the hub and keeps it in
~/.config/smartmeter/token, for this hub and for you alone. Where there is no
terminal, the password is the first line of standard input.

    $ smartmeter login --name anna
    Password:
    You are anna, operator, at http://127.0.0.1:8080

End it with smartmeter logout, here, or in the dashboard, from anywhere.

` + exitHelp
}

// Run logs in and keeps a token.
func (l *Login) Run(env *Env) error {
	if l.Days < 0 || l.Days > 3650 {
		return errorf(smartmeter.Invalid, "--days %d: give a number from 0 to 3650", l.Days)
	}
	c, err := l.openAs(env, "")
	if err != nil {
		return err
	}
	if c.http.Jar, err = cookiejar.New(nil); err != nil {
		return err
	}
	name, password, err := l.ask(env)
	if err != nil {
		return err
	}
	var me struct{ Name, Role string }
	if err := c.exchange(env, http.MethodPost, "/api/v1/session", map[string]any{"name": name, "password": password}, &me); err != nil {
		return err
	}
	token, err := l.makeToken(env, c, me.Role)
	// The session was for that alone; if it stays, it ends by itself.
	_ = c.exchange(env, http.MethodDelete, "/api/v1/session", nil, nil)
	if err != nil {
		return err
	}
	if l.Print {
		fmt.Fprintln(env.Stdout, token)
		return nil
	}
	if _, err := keepToken(c.base, token); err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "You are %s, %s, at %s\n", printable(me.Name), l.role(me.Role), c.base)
	return nil
}

func (l *Login) role(own string) string {
	if l.Role == "own" {
		return own
	}
	return l.Role
}

func (l *Login) makeToken(env *Env, c *client, own string) (string, error) {
	host, _ := os.Hostname()
	request := map[string]any{"label": strings.TrimSpace("command line " + host), "role": l.role(own), "everywhere": true}
	if l.Days > 0 {
		request["expires"] = time.Now().AddDate(0, 0, l.Days).UTC().Format(time.RFC3339)
	}
	var made struct{ Secret string }
	err := c.exchange(env, http.MethodPost, "/api/v1/tokens", request, &made)
	return made.Secret, err
}

// exchange sends in as JSON and reads the answer into out; nil for nothing.
func (c *client) exchange(env *Env, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	a, err := c.ask(env.Ctx, patience, method, path, body)
	if err != nil || out == nil {
		return err
	}
	if json.Unmarshal(a.body, out) != nil {
		return c.stranger("an answer that is not one of a hub")
	}
	return nil
}

// ask asks for name and password; the password does not show.
func (l *Login) ask(env *Env) (name, password string, err error) {
	in := env.Stdin
	if in == nil {
		in = os.Stdin
	}
	lines := bufio.NewReader(in)
	if name = l.Name; name == "" {
		fmt.Fprint(env.Stderr, "Name: ")
		if name, err = readLine(lines); err != nil {
			return "", "", err
		}
	}
	if file, ok := in.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		fmt.Fprint(env.Stderr, "Password: ")
		typed, err := term.ReadPassword(int(file.Fd()))
		fmt.Fprintln(env.Stderr)
		return name, string(typed), err
	}
	password, err = readLine(lines)
	return name, password, err
}

func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if errors.Is(err, io.EOF) && line != "" {
		err = nil
	}
	if err != nil {
		return "", errorf(smartmeter.Invalid, "name and password are needed: type them, or give the password as a line on standard input")
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// Logout is `smartmeter logout`.
type Logout struct{ Hub }

// Help is what --help shows below the flags.
func (*Logout) Help() string {
	return "Revokes the token that login has kept for this hub, and forgets it.\n\n" + exitHelp
}

// Run revokes the token; the hub is asked first, so that it does not live on.
func (l *Logout) Run(env *Env) error {
	c, err := l.open(env)
	if err != nil {
		return err
	}
	if err := c.exchange(env, http.MethodDelete, "/api/v1/session", nil, nil); err != nil {
		return err
	}
	if _, err := keepToken(c.base, ""); err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "Logged out of %s\n", c.base)
	return nil
}
