package main

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// Ways a connection may be treated.
const (
	passing   = iota // as if nothing stood between
	cutting          // closed at once
	forgetful        // what is asked arrives, the answer does not
)

// cuts knows connections and how to treat them.
type cuts struct {
	how   atomic.Int32
	mu    sync.Mutex
	conns map[net.Conn]bool
}

func newCuts() *cuts { return &cuts{conns: map[net.Conn]bool{}} }

// set changes how connections are treated; open ones are closed when it is to cut,
// and when forgetting ends, since they would wait for answers that are gone.
func (c *cuts) set(how int32) {
	if was := c.how.Swap(how); how == forgetful || was == passing && how == passing {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		_ = conn.Close()
	}
}

func (c *cuts) add(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns[conn] = true
}

func (c *cuts) remove(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.conns, conn)
}

// listen wraps a server's listener.
func (c *cuts) listen(l net.Listener) net.Listener { return &cutListener{l, c} }

type cutListener struct {
	net.Listener
	cuts *cuts
}

// Accept returns the next connection that is not cut at once.
func (l *cutListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.cuts.how.Load() == cutting {
			_ = conn.Close()
			continue
		}
		l.cuts.add(conn)
		return &cutConn{conn, l.cuts}, nil
	}
}

type cutConn struct {
	net.Conn
	cuts *cuts
}

// Write drops what is written while answers are forgotten.
func (c *cutConn) Write(p []byte) (int, error) {
	if c.cuts.how.Load() == forgetful {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// Close forgets the connection.
func (c *cutConn) Close() error {
	c.cuts.remove(c.Conn)
	return c.Conn.Close()
}

// proxy stands between programs and a server.
type proxy struct {
	*cuts
	listener net.Listener
	target   string
	work     sync.WaitGroup
}

func newProxy(target string) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{cuts: newCuts(), target: target}
	p.listener = p.listen(l)
	p.work.Go(p.serve)
	return p, nil
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.work.Go(func() { p.relay(client) })
	}
}

func (p *proxy) relay(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	p.add(server)
	defer p.remove(server)
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	})
	both.Go(func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	})
	both.Wait()
}

func (p *proxy) close() error {
	err := p.listener.Close()
	p.set(cutting)
	p.work.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
