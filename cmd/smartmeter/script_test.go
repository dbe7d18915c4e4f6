package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"smartmeter": main})
}

// TestScripts runs this program as a shell does. The scripts in testdata/script
// show what it says: read them as its documentation. Beside testscript's own
// commands they use
//
//	serve ARG…            starts smartmeter ARG… on free ports, waits until it
//	                      is ready, and sets $SMARTMETER_HUB and $MQTT to its
//	                      addresses
//	serve-encrypted ARG…  the same for a hub that is only reached encrypted
//	serve-closed ARG…     the same for a hub that people have to log in to
//	first-run NAME PW     makes its first account, with the code on its console
//	interrupt             presses Ctrl-C for it, after which it must end well
//	exits STATUS COMMAND… runs a command that must end with that status
//	until PATTERN COMMAND… repeats a command until its output matches
//	publish TOPIC PAYLOAD sends an MQTT message to $MQTT, as a node would, and
//	                      returns when the hub has it
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve":           positive(serve("--http", "--mqtt")),
			"serve-encrypted": positive(serve("--https", "--mqtts")),
			"serve-closed":    positive(serve("--http", "--mqtt", "--https", "--mqtts")),
			"first-run":       positive(firstRun),
			"interrupt":       positive(interrupt),
			"exits":           positive(exits),
			"until":           positive(until),
			"publish":         positive(publish),
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv("COLUMNS", "80")
			env.Values[background{}] = &server{vars: env.Vars}
			return nil
		},
	})
}

// enough is how long a script waits for what must come.
const enough = 30 * time.Second

// positive makes a script's command of f, for which "!" has no meaning.
func positive(f func(*testscript.TestScript, []string) error) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg {
			ts.Fatalf("this command cannot be negated")
		}
		ts.Check(f(ts, args))
	}
}

// background is the key of a script's server among its values.
type background struct{}

// server is what a script has started.
type server struct {
	vars []string // of the script's environment
	cmd  *exec.Cmd
	out  *bufio.Reader
	said *console
}

// serve returns the command that starts a server with doors on free ports.
func serve(doors ...string) func(*testscript.TestScript, []string) error {
	return func(ts *testscript.TestScript, args []string) error {
		s := ts.Value(background{}).(*server)
		for _, flag := range doors {
			args = append(args, flag+"=127.0.0.1:0")
		}
		s.cmd = exec.Command(programPath(ts), args...)
		s.cmd.Dir, s.cmd.Env = ts.MkAbs("."), s.vars
		s.said = &console{next: ts.Stderr()}
		s.cmd.Stderr = s.said
		out, err := s.cmd.StdoutPipe()
		if err != nil {
			return err
		}
		if err := s.cmd.Start(); err != nil {
			return err
		}
		ts.Defer(func() { s.cmd.Process.Kill() }) // for scripts that fail before their interrupt
		late := time.AfterFunc(enough, func() { s.cmd.Process.Kill() })
		defer late.Stop()
		s.out = bufio.NewReader(out)
		return s.awaitReady(ts)
	}
}

// programPath finds the program where testscript has put it.
func programPath(ts *testscript.TestScript) string {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		path := filepath.Join(dir, "smartmeter")
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return "smartmeter" // starting it will tell that it is not there
}

// awaitReady reads the line "ready http=ADDR mqtt=ADDR", or with https and
// mqtts.
func (s *server) awaitReady(ts *testscript.TestScript) error {
	line, err := s.out.ReadString('\n')
	if err != nil {
		return fmt.Errorf("it ended before it was ready: %w", errors.Join(err, s.cmd.Wait()))
	}
	doors := make(map[string]string)
	for word := range strings.FieldsSeq(line) {
		door, address, _ := strings.Cut(word, "=")
		doors[door] = address
	}
	scheme, mqtt := "http", cmp.Or(doors["mqtt"], doors["mqtts"])
	if doors[scheme] == "" {
		scheme = "https"
	}
	if _, ready := doors["ready"]; !ready || doors[scheme] == "" || mqtt == "" {
		return fmt.Errorf("its first line is %q", line)
	}
	ts.Setenv("SMARTMETER_HUB", scheme+"://"+doors[scheme])
	ts.Setenv("MQTT", mqtt)
	return nil
}

// console is what a server says on its standard error.
type console struct {
	next io.Writer
	mu   sync.Mutex
	text []byte
}

func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text = append(c.text, p...)
	return c.next.Write(p)
}

var codeOnConsole = regexp.MustCompile(`enter the code (\S+)`)

// code waits until the code for the first account was said.
func (c *console) code() string {
	for start := time.Now(); time.Since(start) < enough; time.Sleep(10 * time.Millisecond) {
		c.mu.Lock()
		found := codeOnConsole.FindSubmatch(c.text)
		c.mu.Unlock()
		if found != nil {
			return string(found[1])
		}
	}
	return "never said"
}

func firstRun(ts *testscript.TestScript, args []string) error {
	code := ts.Value(background{}).(*server).said.code()
	body, err := json.Marshal(map[string]string{"name": args[0], "password": args[1], "code": code})
	if err != nil {
		return err
	}
	resp, err := http.Post(ts.Getenv("SMARTMETER_HUB")+"/api/v1/first-run", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the first run answers %s", resp.Status)
	}
	return nil
}

func interrupt(ts *testscript.TestScript, _ []string) error {
	s := ts.Value(background{}).(*server)
	if s.cmd == nil {
		return errors.New("nothing was served")
	}
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	late := time.AfterFunc(enough, func() { s.cmd.Process.Kill() })
	defer late.Stop()
	_, err := io.Copy(ts.Stdout(), s.out)
	return errors.Join(err, s.cmd.Wait())
}

func exits(ts *testscript.TestScript, args []string) error {
	want, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got, err = exit.ExitCode(), nil
	}
	if err == nil && got != want {
		err = fmt.Errorf("exit status %d, want %d", got, want)
	}
	return err
}

func until(ts *testscript.TestScript, args []string) error {
	pattern, err := regexp.Compile("(?m)" + args[0])
	if err != nil {
		return err
	}
	for start := time.Now(); time.Since(start) < enough; {
		if err := ts.Exec(args[1], args[2:]...); err != nil {
			return err
		}
		if pattern.MatchString(ts.ReadFile("stdout")) {
			return nil
		}
	}
	return fmt.Errorf("%s does not say %q within %v", strings.Join(args[1:], " "), args[0], enough)
}

func publish(ts *testscript.TestScript, args []string) error {
	client := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + ts.Getenv("MQTT")))
	if token := client.Connect(); !token.WaitTimeout(enough) || token.Error() != nil {
		return fmt.Errorf("connect to the broker: %w", token.Error())
	}
	defer client.Disconnect(0)
	token := client.Publish(args[0], 1, false, args[1])
	if !token.WaitTimeout(enough) {
		return errors.New("the broker does not acknowledge")
	}
	return token.Error()
}
