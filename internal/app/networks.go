package app

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// networks is a flag's list of networks in CIDR form, separated by commas.
type networks []*net.IPNet

// String implements pflag.Value.
func (n *networks) String() string {
	var parts []string
	for _, x := range *n {
		parts = append(parts, x.String())
	}
	return strings.Join(parts, ",")
}

// Set implements pflag.Value: the last one wins, as for every other setting.
func (n *networks) Set(text string) error {
	var list []*net.IPNet
	for part := range strings.SplitSeq(text, ",") {
		_, x, err := net.ParseCIDR(strings.TrimSpace(part))
		if err != nil {
			return fmt.Errorf("%q is not a network such as 10.0.0.0/8", part)
		}
		list = append(list, x)
	}
	*n = list
	return nil
}

// prefixes are the same networks as net/netip has them.
func prefixes(list []*net.IPNet) []netip.Prefix {
	var out []netip.Prefix
	for _, n := range list {
		if p, err := netip.ParsePrefix(n.String()); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// Type implements pflag.Value.
func (n *networks) Type() string { return "networks" }
