package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// SiteZone is `smartmeter zone`.
type SiteZone struct {
	Name string `arg:"" optional:"" help:"The zone as the IANA names it, like Europe/Berlin; \"machine\" for that of the hub's machine. Shows the present one if none is given."`
	Hub
}

// Help is what --help shows below the flags.
func (*SiteZone) Help() string {
	return `Days, weeks and months are those of the site's zone, on the dashboard, in answers
of the API and here, unless a question names another. With another zone they are
told anew, out of the same quarter hours.

    $ smartmeter zone Europe/Berlin
    Europe/Berlin, where it is 14:05 now

` + exitHelp
}

// ofMachine is the word for the zone of the hub's machine.
const ofMachine = "machine"

// Run shows or sets the zone of the site.
func (z *SiteZone) Run(env *Env) error {
	c, err := z.open(env)
	if err != nil {
		return err
	}
	s, a, err := z.settings(env, c)
	switch {
	case err != nil:
		return err
	case z.JSON:
		return writeDocument(env.Stdout, a.body)
	}
	return s.writeZone(env.Stdout)
}

// settings asks for the site's zone, or has the hub keep another.
func (z *SiteZone) settings(env *Env, c *client) (settings, answer, error) {
	if z.Name == "" {
		return c.settings(env)
	}
	name := z.Name
	if name == ofMachine {
		name = ""
	}
	said := struct {
		Zone string `json:"zone"`
	}{name}
	s, a, err := c.putSettings(env, said, "the zone may be another now or not. Look with `smartmeter zone`")
	return s, a, inFlags(err, []string{"body.zone", fmt.Sprintf("%q", printable(z.Name))})
}

func (s *settings) writeZone(w io.Writer) error {
	if s.Zone == "" {
		_, err := fmt.Fprintln(w, "The zone of the hub's machine. Name another with `smartmeter zone`.")
		return err
	}
	_, err := fmt.Fprintf(w, "%s%s\n", printable(s.Zone), s.clock())
	return err
}

// clock tells the time of the zone, if this machine knows it.
func (s *settings) clock() string {
	zone, err := time.LoadLocation(s.Zone)
	if err != nil {
		return ""
	}
	return ", where it is " + time.Now().In(zone).Format("15:04") + " now"
}

// zoneNamed returns a zone; what says where the name is from.
func zoneNamed(what, name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, errorf(smartmeter.Invalid, "%s %q is no time zone: name one as the IANA does, like Europe/Berlin", what, name)
	}
	return zone, nil
}
