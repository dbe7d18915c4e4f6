package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/alecthomas/kong"
	"github.com/iot-smart-meter/smartmeter/internal/cli"
)

// version is what --version and the API say; the build may set it.
var version = "0.1.0-dev"

// Main is the program, as main and the tests run it.
type Main struct {
	Stdout, Stderr io.Writer
}

// grammar is the command line.
type grammar struct {
	Demo demoCommand `cmd:"" help:"Show it live: a hub with a simulated house, on this machine only."`
	Hub  hubCommand  `cmd:"" help:"Run the hub: broker, history, API and dashboard."`
	Node nodeCommand `cmd:"" help:"Be a meter node with a PZEM-004T on a serial line."`
	Sim  simCommand  `cmd:"" help:"Play simulated meter nodes against any broker."`

	CA caCommand `cmd:"" name:"ca" help:"Print what this machine's hub is recognised by, before you trust it."`

	Devices cli.Devices  `cmd:"" help:"List devices and what they draw."`
	Watch   cli.Watch    `cmd:"" help:"Follow what happens, line by line."`
	Switch  cli.Switch   `cmd:"" help:"Switch a relay and wait for its node's word."`
	Energy  cli.Energy   `cmd:"" help:"Tell what devices used, in kWh that add up."`
	Export  cli.Export   `cmd:"" help:"Write the history into a table: CSV or Parquet."`
	Correct cli.Correct  `cmd:"" help:"Say what people know about energy and registers do not; undo it."`
	Price   cli.Price    `cmd:"" help:"Say what a kWh costs, from which day on."`
	Zone    cli.SiteZone `cmd:"" help:"Say in which time zone the site is: whose days, weeks and months are told."`
	Nodes   cli.Nodes    `cmd:"" help:"Say which nodes may come in: pair, accept, revoke."`
	Storage cli.Storage  `cmd:"" help:"Say what the history takes of the disk, and for how long that goes on."`

	Commands cli.Commands `cmd:"" help:"Tell what moved a relay, who asked and what became of it."`
	Alerts   cli.Alerts   `cmd:"" help:"Tell what people should know; acknowledge it."`
	Protect  cli.Protect  `cmd:"" help:"Tell what a node does by itself, and change it; reset a cut-off."`

	Doctor doctorCommand `cmd:"" help:"Examine a data directory that no hub has open, and mend it."`
	Login  cli.Login     `cmd:"" help:"Log in at a hub, for the commands here."`
	Logout cli.Logout    `cmd:"" help:"Log out again."`
	Audit  auditCommand  `cmd:"" help:"Tell who did what at the hub, and whether the log of that is whole."`

	Config   kong.ConfigFlag  `type:"existingfile" placeholder:"FILE" help:"Read settings from FILE, in lines like SMARTMETER_HTTP=:8080."`
	LogLevel *slog.Level      `placeholder:"LEVEL" help:"Least important messages to log: debug, info, warn or error; info unless told, for the demo warn."`
	Version  kong.VersionFlag `env:"-" help:"Print the version and exit."`
}

// logLevel is what was asked for; the demo is to be watched, not its log.
func (g *grammar) logLevel(command string) slog.Level {
	switch {
	case g.LogLevel != nil:
		return *g.LogLevel
	case command == "demo":
		return slog.LevelWarn
	default:
		return slog.LevelInfo
	}
}

const about = `An energy meter and load control for your own house.

Begin with "smartmeter demo". Every flag can also be set in the environment,
as SMARTMETER_ and the flag's name (SMARTMETER_HTTP=:80), or in a --config
file with such lines; the command line wins over both.`

// Run parses args and carries them out until done or until ctx ends. It
// returns the exit status; see cli.ExitCode.
func (m Main) Run(ctx context.Context, args []string) int {
	err := m.run(ctx, args)
	var exit earlyExit
	switch {
	case errors.As(err, &exit):
		return int(exit)
	case err != nil:
		fmt.Fprintf(m.Stderr, "smartmeter: %v%s\n", err, hint(err))
	}
	return cli.ExitCode(err)
}

// hint tells whoever mistyped a command line where to read on.
func hint(err error) string {
	mistake, ok := errors.AsType[*kong.ParseError](err)
	if !ok {
		return ""
	}
	command := "smartmeter"
	if node := mistake.Context.Selected(); node != nil {
		command = node.FullPath()
	}
	return "\nTry: " + command + " --help"
}

func (m Main) run(ctx context.Context, args []string) (err error) {
	var line grammar
	parser, err := kong.New(&line,
		kong.Name("smartmeter"),
		kong.Description(about),
		kong.Vars{"version": version},
		kong.DefaultEnvars("SMARTMETER"),
		kong.Configuration(settingsFile),
		kong.Writers(m.Stdout, m.Stderr),
		kong.Exit(func(code int) { panic(earlyExit(code)) }), // --help and --version
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		return err
	}
	defer func() {
		if exit, ok := recover().(earlyExit); ok {
			err = exit
		}
	}()
	if len(args) == 0 {
		args = []string{"--help"}
	}
	selected, err := parser.Parse(args)
	if err != nil {
		return err
	}
	return selected.Run(
		&cli.Env{Ctx: ctx, Stdout: m.Stdout, Stderr: m.Stderr},
		&daemon{
			ctx:    ctx,
			stdout: m.Stdout,
			stderr: m.Stderr,
			log:    slog.New(slog.NewTextHandler(m.Stderr, &slog.HandlerOptions{Level: line.logLevel(selected.Command())})),
		},
	)
}

// earlyExit ends the program before a command is run.
type earlyExit int

func (e earlyExit) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// daemon is what the commands that stay find around them.
type daemon struct {
	ctx    context.Context
	stdout io.Writer
	stderr io.Writer
	log    *slog.Logger
}
