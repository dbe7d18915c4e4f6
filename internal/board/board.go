// Package board is what a node on a microcontroller needs besides its core, as
// far as it can be tried without one: settings in flash, the form with which a
// person tells a new node its WiFi and its broker, what the radio should do when,
// a button that does not chatter, a queue of messages that never grows, and what
// is shown on the screen. The chips themselves are in firmware/.
//
// It reads no clock and starts no goroutine. What runs while the node samples
// ([Queue], [Debouncer], [Picture], [Screen]) allocates nothing.
//
// What it promises:
//   - After a power cut, whenever it comes, [Settings] are those before a save or
//     those after it, whole.
//   - What a form asks for is refused with a reason if no network or broker can
//     be called that. Nothing that is sent to the form makes it fail.
//   - A node that knows a WiFi opens its own hotspot once after a power-up at
//     most: nobody gets hold of it later by jamming that WiFi.
package board
