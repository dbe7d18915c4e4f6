// Package access says who may do what: people and their scripts at the API,
// nodes at the broker. And it knows the people: their accounts, sessions and
// tokens, and the log of what they did.
//
// # What is promised
//
// Nobody may do anything that the table in role.go, or MayTopic for topics, does
// not list. The zero values of all types here are trusted with nothing. This
// part is pure: it decides, and keeps nothing. So is the lock-out.
//
// [People] keeps no secret that opens anything: passwords as argon2id hashes,
// codes in memory, sessions and tokens by their digest. What is granted is
// durable before it counts; what is taken away counts before it is durable.
// Whatever clients do, memory and files stay within the bounds in account.go.
//
// The audit log is a chain of hashes: changing, removing, adding or moving a
// line breaks it, and its end is anchored in access.json. Whoever can write
// both files can forge both; an export that is kept elsewhere shows that, too.
//
// A node comes in when a person has accepted it, and not before; what is said of
// it is durable. No secret is kept, only hashes of random ones (nodes.json).
//
// # What it is not
//
// It knows no HTTP and no MQTT: status codes and connections belong to those
// who call it. They also end the connection of a node that was revoked.
package access
