package net

import _ "unsafe" // for go:linkname

// useNetdev is what TinyGo's package net has and stock Go's has not: a driver
// becomes the network. scripts/firmware lays this file beside those of the real
// package, so that the firmware can be linked, too.
//
//go:linkname useNetdev
func useNetdev(any) {}
