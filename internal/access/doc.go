// Package access says who may do what: people and their scripts at the API,
// nodes at the broker.
//
// # What is promised
//
// Nobody may do anything that the table in role.go, or MayTopic for topics, does
// not list. The zero values of all types here are trusted with nothing.
//
// A node comes in when a person has accepted it, and not before; what is said of
// it is durable. No secret is kept, only hashes of random ones (nodes.json).
//
// # What it is not
//
// It knows no HTTP and no MQTT: status codes and connections belong to those who
// call it. They also end the connection of a node that was revoked.
package access
