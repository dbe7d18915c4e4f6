package ca

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// Names is what a hub goes by.
type Names struct {
	Hosts     []string // the first is its own name
	Addresses []netip.Addr
}

// maxNames bounds each list: a certificate that has to fit a node's memory
// cannot name everything.
const maxNames = 50

// MachineNames returns what this machine goes by now: its host name, that name
// in .local, localhost, what it was told, and its addresses.
func MachineNames(told []string) Names {
	var n Names
	if name, err := os.Hostname(); err == nil {
		label, _, _ := strings.Cut(name, ".")
		n.Hosts = append(n.Hosts, label+".local", name)
	}
	n.Hosts = append(append(n.Hosts, "localhost"), told...)
	n.Addresses = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	all, _ := net.InterfaceAddrs() // a machine that cannot say goes by its names
	for _, a := range all {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			n.Addresses = append(n.Addresses, prefix.Addr())
		}
	}
	return n
}

// usable returns those names that a certificate can have, in lower case and
// once; never none.
func (n Names) usable() Names {
	var out Names
	for _, host := range n.Hosts {
		host = strings.ToLower(strings.TrimSuffix(host, "."))
		if ip, err := netip.ParseAddr(host); err == nil {
			n.Addresses = append(slices.Clone(n.Addresses), ip)
		} else if validHost(host) && !slices.Contains(out.Hosts, host) && len(out.Hosts) < maxNames {
			out.Hosts = append(out.Hosts, host)
		}
	}
	if len(out.Hosts) == 0 {
		out.Hosts = []string{"localhost"}
	}
	for _, ip := range n.Addresses {
		// Addresses of one link need a zone, which no certificate has.
		ip = ip.Unmap()
		if !ip.IsLinkLocalUnicast() && ip.Zone() == "" && !slices.Contains(out.Addresses, ip) && len(out.Addresses) < maxNames {
			out.Addresses = append(out.Addresses, ip)
		}
	}
	return out
}

// validHost reports whether host is a name as RFC 1123 section 2.1 has them;
// the underscore, which some machines have, is let through.
func validHost(host string) bool {
	if host == "" || len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
		}) {
			return false
		}
	}
	return true
}
