package main

import (
	"fmt"

	"github.com/iot-smart-meter/smartmeter/internal/access"
)

// openPeople opens the accounts of a hub, unless it is open to everybody.
func (s *system) openPeople() (err error) {
	if s.cfg.closed {
		s.people, err = access.OpenPeople(access.PeopleConfig{Files: s.files, Rescue: s.cfg.rescue, Logger: s.cfg.log})
	}
	return err
}

// welcome tells whoever is at the console how to make the first account. It is
// not the ready line's business, which programs read.
func welcome(d *daemon, s *system) {
	if s.people == nil || s.people.Code() == "" {
		return
	}
	address := "https://"
	door := s.cfg.doors.https
	if door == nil {
		address, door = "http://", s.cfg.doors.http
	}
	fmt.Fprintf(d.stderr, "smartmeter: to make the first account, open %s%s in a browser and enter the code %s\n", address, door.Addr(), s.people.Code())
}
