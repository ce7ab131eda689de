package lane

import (
	"bytes"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// loops are where connections rest without a goroutine each: waking one, and the
// reads that find nothing, cost as much as answering a small request does. They are
// made when the first is needed.
type loops struct {
	once sync.Once
	all  []*loop
	next atomic.Uint32
}

// loop asks an epoll instance of its own which connections have something to read.
// That instance is waited for as any file is (epoll(7) allows it), so no thread blocks.
type loop struct {
	listener *Listener
	file     *os.File
	fd       int
	events   [128]unix.EpollEvent
	ready    int
	request  []byte
	mu       sync.Mutex
	conns    map[int32]*Conn // by descriptor
}

// looped is what a Conn has to do with its loop. A descriptor is only used under raw,
// so that nobody closes it meanwhile.
type looped struct {
	loop  *loop
	raw   syscall.RawConn
	fd    int32
	swift Swift
	since atomic.Int64 // when it came to rest, in Unix seconds

	into, out  []byte // of the read and the write under way
	n          int
	err        error
	read, send func(fd uintptr) bool
}

func (c *Conn) onLoop() bool { return c.since.Load() != 0 }

// loopBytes is the largest request that a loop takes.
const loopBytes = 32 << 10

func (l *Listener) startLoops() {
	for range max(1, min(runtime.GOMAXPROCS(0), runtime.NumCPU())/2) {
		fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		if err != nil {
			return // those that are there do; without any, goroutines wait
		}
		if err := unix.SetNonblock(fd, true); err != nil {
			_ = unix.Close(fd)
			return
		}
		p := &loop{listener: l, file: os.NewFile(uintptr(fd), "epoll"), fd: fd, request: make([]byte, loopBytes), conns: map[int32]*Conn{}}
		l.loops.all = append(l.loops.all, p)
		l.work.Go(p.run)
	}
	l.work.Go(l.sweep)
	go func() {
		<-l.ctx.Done()
		for _, p := range l.loops.all {
			_ = p.file.Close() // ends run
		}
	}()
}

// adopt puts a connection that has just been answered on a loop. It returns false when
// that cannot be.
func (l *Listener) adopt(c *Conn, s Swift) bool {
	conn, ok := c.Conn.(syscall.Conn)
	if !ok {
		return false
	}
	l.loops.once.Do(l.startLoops)
	if len(l.loops.all) == 0 {
		return false
	}
	if c.raw == nil {
		raw, err := conn.SyscallConn()
		if err != nil {
			return false
		}
		c.raw, c.read, c.send = raw, c.readNow, c.sendNow
	}
	c.loop, c.swift = l.loops.all[int(l.loops.next.Add(1))%len(l.loops.all)], s
	_ = c.SetDeadline(time.Time{}) // fails on closed connections, as all else will
	c.readBy, c.writeBy = time.Time{}, time.Time{}
	l.work.Add(1)
	c.since.Store(time.Now().Unix())
	c.state.Store(busy)
	var failed error
	err := c.raw.Control(func(fd uintptr) {
		c.fd = int32(fd)
		c.loop.mu.Lock()
		c.loop.conns[c.fd] = c
		c.loop.mu.Unlock()
		failed = unix.EpollCtl(c.loop.fd, unix.EPOLL_CTL_ADD, int(fd), &unix.EpollEvent{
			Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET&0xffffffff, Fd: c.fd,
		})
	})
	if err != nil || failed != nil {
		c.leave()
		l.work.Done()
		return false
	}
	c.settle()
	return true
}

// settle brings a connection to rest whose request is answered.
func (c *Conn) settle() {
	c.since.Store(time.Now().Unix())
	if !c.state.CompareAndSwap(busy, resting) {
		c.wait(nil)
	} else if c.listener.closing.Load() && c.state.CompareAndSwap(resting, busy) {
		c.drop()
	}
}

// leave takes a busy connection off its loop.
func (c *Conn) leave() {
	_ = c.raw.Control(func(fd uintptr) { // fails on closed connections, which have left
		_ = unix.EpollCtl(c.loop.fd, unix.EPOLL_CTL_DEL, int(fd), nil)
	})
	c.loop.mu.Lock()
	if c.loop.conns[c.fd] == c {
		delete(c.loop.conns, c.fd)
	}
	c.loop.mu.Unlock()
	c.since.Store(0)
}

// drop ends a busy connection of a loop.
func (c *Conn) drop() {
	c.leave()
	c.listener.release(c)
	_ = c.Close() // answered, or gone
	c.listener.work.Done()
}

// wait leaves a busy connection of a loop to a goroutine, with what was read of it.
func (c *Conn) wait(read []byte) {
	c.leave()
	var r io.Reader = c.Conn
	if len(read) > 0 {
		r = io.MultiReader(bytes.NewReader(bytes.Clone(read)), c.Conn)
	}
	c.timed = false
	c.listener.work.Go(func() { c.listener.goOn(c, r) })
	c.listener.work.Done()
}

// run answers until the Listener closes.
func (p *loop) run() {
	raw, err := p.file.SyscallConn()
	if err != nil {
		return
	}
	ask := func(fd uintptr) bool {
		n, err := unix.EpollWait(int(fd), p.events[:], 0)
		p.ready = max(n, 0)
		return n != 0 && err != unix.EINTR
	}
	for raw.Read(ask) == nil {
		for _, e := range p.events[:p.ready] {
			p.mu.Lock()
			c := p.conns[e.Fd]
			p.mu.Unlock()
			if c != nil {
				p.hear(c, e.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0)
			}
		}
	}
}

// hear takes what has come on a connection. The last of one that is ending is a
// goroutine's, which sees the end; here nothing would tell of it again.
func (p *loop) hear(c *Conn, ending bool) {
	for !c.state.CompareAndSwap(resting, busy) {
		if c.state.Load() == behind || c.state.CompareAndSwap(busy, behind) {
			return
		}
	}
	c.into = p.request
	if err := c.raw.Read(c.read); err != nil || c.n <= 0 && c.err != unix.EAGAIN && c.err != unix.EINTR {
		c.drop()
		return
	}
	if c.n <= 0 {
		c.settle()
		return
	}
	request := p.request[:c.n]
	if ending || c.n == len(p.request) || !c.swift.Knows(request) || !c.swift.Begin(c, request) {
		c.wait(request)
	}
}

func (c *Conn) readNow(fd uintptr) bool {
	c.n, c.err = unix.Read(int(fd), c.into)
	c.into = nil
	return true
}

func (c *Conn) sendNow(fd uintptr) bool {
	c.n, c.err = unix.Write(int(fd), c.out)
	return true
}

// Finish sends the answer to a request that was begun; last ends the connection after
// it. It does not block: a viewer that does not take what it asked for is left to a
// goroutine.
func (c *Conn) Finish(answer []byte, last bool) {
	c.out = answer
	err := c.raw.Write(c.send)
	c.out = nil
	switch {
	case err == nil && c.n == len(answer):
		if last {
			c.drop()
			return
		}
		c.settle()
	case err == nil && (c.n > 0 || c.err == unix.EAGAIN || c.err == unix.EINTR):
		go func(rest []byte) {
			c.AllowWriting()
			if _, err := c.Write(rest); err != nil || last {
				c.drop()
				return
			}
			c.settle()
		}(bytes.Clone(answer[max(c.n, 0):]))
	default:
		c.drop()
	}
}

// sweep ends connections that have rested for too long.
func (l *Listener) sweep() {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return
		case now := <-tick.C:
			var idle []*Conn
			l.mu.Lock()
			for c := range l.conns {
				if since := c.since.Load(); since != 0 && now.Unix()-since > int64(idleTimeout.Seconds()) && c.state.CompareAndSwap(resting, busy) {
					idle = append(idle, c)
				}
			}
			l.mu.Unlock()
			for _, c := range idle {
				c.drop()
			}
		}
	}
}
