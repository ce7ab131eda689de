//go:build !linux

package lane

// Elsewhere each connection has a goroutine that waits.
type (
	loops  struct{}
	looped struct{}
)

func (*Conn) onLoop() bool                { return false }
func (*Conn) drop()                       {}
func (*Listener) adopt(*Conn, Swift) bool { return false }

// Finish sends the answer to a request that was begun, of which there is none here.
func (*Conn) Finish([]byte, bool) {}
