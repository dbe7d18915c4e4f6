package main

import (
	"fmt"
	"os"

	"github.com/iot-smart-meter/smartmeter/internal/access"
	"github.com/iot-smart-meter/smartmeter/internal/cli"
)

// auditCommand is `smartmeter audit`.
type auditCommand struct {
	cli.Audit
	Check string `type:"existingfile" placeholder:"FILE" help:"Check an export, without asking a hub."`
}

// Run asks the hub for its log, or checks a file.
func (c *auditCommand) Run(env *cli.Env) error {
	if c.Check == "" {
		return c.Audit.Run(env)
	}
	file, err := os.Open(c.Check)
	if err != nil {
		return err
	}
	defer file.Close()
	end, err := access.CheckAudit(file, nil, func(access.Entry) {})
	if err != nil {
		return fmt.Errorf("%s: %w", c.Check, err)
	}
	fmt.Fprintf(env.Stdout, "%s is whole: up to line %d, whose hash is %s\n", c.Check, end.Lines, end.Hash)
	return nil
}
