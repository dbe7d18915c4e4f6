// Package chunk packs what one channel measured in a UTC day into bytes, and
// back.
//
// A chunk is the form in which measurements are kept for good: immutable,
// checked, and small enough that nobody has to throw history away. Two bytes
// and a bit hold a sample of six quantities. It is lossless: time, identity and
// every integer of the meter come back as they went in. It is deterministic:
// equal readings give equal bytes, on every machine. And it is patient: each
// chunk names its codec, and whatever this package has ever written it will
// read; see the switch in Decoder.Unpack.
//
// The package does no I/O and reads no clock. The columns of a long chunk are
// unpacked by several goroutines, which have ended when the call returns. It does
// not know where chunks lie, which version of a day is the latest, or what a kilowatt
// hour costs.
//
// # How it is small
//
// Readings become columns, one for each quantity. Each value is predicted from
// what is already known, and only the difference is kept:
//
//   - the time from the grid on which the node samples;
//   - voltage and frequency from their smoothed past;
//   - power from its past or, if that is shorter, from the voltage, as a heating
//     element behaves;
//   - current from power and voltage, and the power factor from all three;
//   - energy from the integral of the power.
//
// The encoder tries every way for every column and notes the shortest. What the
// differences have left is noise, which finite state entropy coding keeps at
// hardly more than its entropy. The format is laid down in
// docs/storage-format.md, with all that a reader in another language needs.
//
// # What is checked
//
// A CRC-32C covers every byte, and structure and header must agree with what is
// unpacked, so that a damaged chunk is an error and not a wrong value. Lengths
// are checked before anything is allocated; a chunk made in bad faith costs its
// reader at most what its count, MaxReadings at most, allows. Bad faith can also
// make a checksum right: whoever takes chunks from strangers compares
// Header.Hash with Hash of the readings.
//
// The encoder unpacks what it has packed and compares, before anybody lets go
// of the original.
package chunk
