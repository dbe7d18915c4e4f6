package main

// A minimal system has no time zones of its own; energy is told in those of
// people.
import _ "time/tzdata"
