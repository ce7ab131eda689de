package sharing

import (
	"strings"

	"golang.org/x/net/idna"
)

// ascii returns the form in which browsers send a domain: "bücher.example" as
// "xn--bcher-kva.example". A wildcard and a port stay as they are.
func ascii(domain string) (string, error) {
	wild, rest := "", domain
	if after, ok := strings.CutPrefix(rest, "*."); ok {
		wild, rest = "*.", after
	}
	host, port, found := strings.Cut(rest, ":")
	name, err := idna.Lookup.ToASCII(host)
	if err != nil {
		return "", err
	}
	if found {
		port = ":" + port
	}
	return wild + name + port, nil
}
