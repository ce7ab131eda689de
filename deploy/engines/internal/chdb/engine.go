package chdb

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unsafe"
)

// Engine is one running ClickHouse engine on one data folder. A process can
// have one; the folder is locked against other processes.
type Engine struct {
	lib     *library
	dir     string
	anchor  *Conn
	version string
}

// Open loads the library at libraryPath (absolute) and starts an engine on
// the data folder dir with the server configuration file configFile. It fails
// when another process has the folder open; the library's own log says so.
func Open(libraryPath, dir, configFile string) (*Engine, error) {
	lib, err := load(libraryPath)
	if err != nil {
		return nil, err
	}
	lib.setSignalHandlers(0) // before the first connection, see the package comment
	e := &Engine{lib: lib, dir: dir}
	// The engine stops with its last connection, so one is held for good.
	e.anchor, err = e.connect("--config-file=" + configFile)
	if err != nil {
		return nil, fmt.Errorf("start engine %s on %s: %w", cString(lib.version()), dir, err)
	}
	v, err := e.anchor.Query("SELECT version()", "TabSeparated", nil)
	if err != nil {
		e.Close()
		return nil, fmt.Errorf("ask engine version: %w", err)
	}
	defer v.Free()
	e.version = strings.TrimSpace(string(v.Bytes()))
	return e, nil
}

// Version is ClickHouse's version, such as 26.7.2.1.
func (e *Engine) Version() string { return e.version }

// Connect opens a connection with default settings and the database default.
// It costs well under a millisecond; the caller closes it.
func (e *Engine) Connect() (*Conn, error) { return e.connect() }

// Close stops the engine. Every Conn must be closed before.
func (e *Engine) Close() {
	e.anchor.Close()
	e.lib.shutdown()
}

func (e *Engine) connect(extra ...string) (*Conn, error) {
	args := append([]string{"clickhouse", "--path=" + e.dir, "--log-level=warning"}, extra...)
	argv := make([]unsafe.Pointer, len(args)+1)
	for i, a := range args {
		argv[i] = terminated(a)
	}
	h := e.lib.connect(int32(len(args)), unsafe.Pointer(&argv[0]))
	runtime.KeepAlive(argv)
	if h == nil {
		return nil, errors.New("connection refused by the library")
	}
	return &Conn{lib: e.lib, handle: h}, nil
}

// Param is a value for a {name:Type} placeholder, in ClickHouse's escaped
// text form.
type Param struct{ Name, Value string }

// cParams lays params out as the four parallel arrays the library takes.
type cParams struct {
	names, values       []unsafe.Pointer
	nameLens, valueLens []uintptr
	pn, pnl, pv, pvl    unsafe.Pointer
	count               uintptr
}

func newCParams(params []Param) *cParams {
	c := &cParams{count: uintptr(len(params))}
	if len(params) == 0 {
		return c
	}
	for _, p := range params {
		c.names = append(c.names, terminated(p.Name))
		c.nameLens = append(c.nameLens, uintptr(len(p.Name)))
		c.values = append(c.values, terminated(p.Value))
		c.valueLens = append(c.valueLens, uintptr(len(p.Value)))
	}
	c.pn, c.pnl = unsafe.Pointer(&c.names[0]), unsafe.Pointer(&c.nameLens[0])
	c.pv, c.pvl = unsafe.Pointer(&c.values[0]), unsafe.Pointer(&c.valueLens[0])
	return c
}
