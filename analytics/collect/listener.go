package collect

import (
	"log/slog"
	"net"

	"github.com/vitascope/vitascope/internal/lane"
)

// Lane returns what answers the common beacon request ahead of the HTTP server,
// which saves half of all a beacon costs. A request is common when it is an
// HTTP/1.1 POST to [Path] with a Content-Length and nothing that asks for more than
// an answer. address tells the client's from the peer's and the X-Forwarded-For
// headers.
func (h *Handler) Lane(address func(remote net.Addr, forwarded []string) string) lane.Open {
	return func(c *lane.Conn) lane.Session {
		return &session{handler: h, address: address, log: h.log, remote: c.RemoteAddr()}
	}
}

// session is the beacons of one connection.
type session struct {
	handler *Handler
	address func(remote net.Addr, forwarded []string) string
	log     *slog.Logger
	remote  net.Addr

	sender
	swift
}
