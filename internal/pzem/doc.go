// Package pzem speaks to a PZEM-004T v3.0 or v4.0, the meter module inside a
// node: Modbus-RTU frames over any io.ReadWriter.
//
// A [Master] is the node's side of the line. It asks, and it believes an
// answer only when address, function, length and CRC are right, nothing was
// left over, and it cannot be the late answer to an earlier question. What it
// cannot believe it asks for once more; then it says why it failed. It never
// returns the values of an earlier read: a stale value is worse than none.
//
// A [Slave] is the module's side, for simulations and tests. It answers as the
// real one does, from registers that the simulation sets.
//
// The package has no clock and starts no goroutine. How long silence lasts is
// decided by whoever opened the port: a Read that returns (0, nil), or an
// error whose Timeout method says true, means that nothing came. 200 ms suits
// the module, which needs about 35 ms to answer at 9600 baud 8N1.
//
// Function 0x41, the factory calibration, makes a module measure garbage for
// ever. A Master has no way to send it, and a Slave refuses it.
//
// It runs on a microcontroller: no fmt, no reflection, and a read of the meter
// does not allocate.
//
// Sources: the PZEM-004T V3.0 manual by Peacefair; Modbus over Serial Line
// V1.02, section 2.5.1 and 6.2 (frames, CRC); Modbus Application Protocol
// V1.1b3, section 6 and 7 (functions, exceptions).
package pzem
