package main

import (
	"fmt"
	"net"
	"time"
)

// What is wrong with a command line is said before anything is begun, with the
// flag's name and what to write instead. Commands call these from Validate.

// checkAddress refuses what no program can listen at.
func checkAddress(flag, addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return fmt.Errorf("%s %q: give an address and a port, like 127.0.0.1:8080 or :8080; port 0 picks a free one", flag, addr)
	}
	return nil
}

// maxAppliances is more than any machine that runs the hub can simulate in real
// time, and still fits its memory.
const maxAppliances = 10_000

// checkDevices refuses houses that are too small or too large.
func checkDevices(asked *int, least int) error {
	if asked != nil && (*asked < least || *asked > maxAppliances) {
		return fmt.Errorf("--devices %d: give a number from %d to %d", *asked, least, maxAppliances)
	}
	return nil
}

// checkInterval refuses what a simulated node cannot keep to.
func checkInterval(interval time.Duration) error {
	if interval < time.Second || interval > time.Hour || interval%time.Second != 0 {
		return fmt.Errorf("--interval %v: give whole seconds, from 1s to 1h", interval)
	}
	return nil
}

// checkSync refuses what would wear a disk out, and what would have nodes wait
// too long for their acknowledgements: they keep some hours of samples.
func checkSync(every time.Duration) error {
	if every < 100*time.Millisecond || every > 10*time.Minute {
		return fmt.Errorf("--sync %v: give a time from 100ms to 10m", every)
	}
	return nil
}

// checkFielded refuses more nodes of the first generation than there are.
func checkFielded(fielded, devices int) error {
	if fielded < 0 || fielded > devices {
		return fmt.Errorf("--fielded %d: give a number from 0 to %d, the number of appliances", fielded, devices)
	}
	return nil
}
