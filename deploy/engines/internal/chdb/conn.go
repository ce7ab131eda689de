package chdb

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"unsafe"
)

// Error is a statement's failure as the engine worded it, beginning with
// "Code: N. DB::Exception".
type Error struct{ Message string }

// Error returns the engine's message.
func (e *Error) Error() string { return e.Message }

// insertChunkBytes is how much of an insert's body crosses into the library
// per call; 1 MiB was as fast as larger sizes.
const insertChunkBytes = 1 << 20

// Conn is one session: settings, current database, temporary tables. It runs
// one statement at a time.
type Conn struct {
	lib    *library
	handle unsafe.Pointer // chdb_connection*, a pointer to the inner handle
}

// Close ends the session.
func (c *Conn) Close() { c.lib.closeConn(c.handle) }

func (c *Conn) inner() unsafe.Pointer { return *(*unsafe.Pointer)(c.handle) }

// start hands a statement to one of the three calls that take one.
func (c *Conn) start(call queryFunc, sql, format string, params []Param) unsafe.Pointer {
	p := newCParams(params)
	q, f := terminated(sql), terminated(format)
	r := call(c.inner(), q, uintptr(len(sql)), f, uintptr(len(format)), p.pn, p.pnl, p.pv, p.pvl, p.count)
	runtime.KeepAlive(p)
	runtime.KeepAlive(q)
	runtime.KeepAlive(f)
	return r
}

// Result is a whole result in the library's memory.
type Result struct {
	lib *library
	ptr unsafe.Pointer
}

// Bytes is the formatted result; it is valid until Free.
func (r Result) Bytes() []byte {
	if r.ptr == nil {
		return nil
	}
	p := r.lib.resultBuffer(r.ptr)
	if p == nil {
		return nil
	}
	return unsafe.Slice((*byte)(p), r.lib.resultLength(r.ptr))
}

// RowsWritten counts inserted rows, those of materialized views included.
func (r Result) RowsWritten() uint64 {
	if r.ptr == nil {
		return 0
	}
	return r.lib.resultRowsWritten(r.ptr)
}

// Free gives the memory back.
func (r Result) Free() {
	if r.ptr != nil {
		r.lib.destroyResult(r.ptr)
	}
}

// check frees a result that holds an error and returns that error.
func (c *Conn) check(ptr unsafe.Pointer) (Result, error) {
	if ptr == nil {
		return Result{}, errors.New("no result from the engine")
	}
	if m := cString(c.lib.resultError(ptr)); m != "" {
		c.lib.destroyResult(ptr)
		return Result{}, &Error{Message: m}
	}
	return Result{lib: c.lib, ptr: ptr}, nil
}

// Query runs any statement and returns its result formatted as format (an
// output format of ClickHouse) unless the statement names its own. The caller
// frees the result.
func (c *Conn) Query(sql, format string, params []Param) (Result, error) {
	return c.check(c.start(c.lib.query, sql, format, params))
}

// Exec runs a statement and drops its result.
func (c *Conn) Exec(sql string, params ...Param) error {
	r, err := c.Query(sql, "Null", params)
	if err != nil {
		return err
	}
	r.Free()
	return nil
}

// Stream runs a SELECT and calls each with every formatted chunk, in order;
// the chunk is valid during the call only. An error from each cancels the
// statement and is returned as it is.
func (c *Conn) Stream(sql, format string, params []Param, each func(chunk []byte) error) error {
	stream, err := c.check(c.start(c.lib.streamQuery, sql, format, params))
	if err != nil {
		return err
	}
	defer stream.Free()
	for {
		chunk, err := c.check(c.lib.streamFetch(c.inner(), stream.ptr))
		if err != nil {
			return err
		}
		b := chunk.Bytes()
		if len(b) == 0 {
			chunk.Free()
			return nil
		}
		err = each(b)
		chunk.Free()
		if err != nil {
			c.lib.streamCancel(c.inner(), stream.ptr)
			return err
		}
	}
}

// Insert runs an INSERT that has neither data nor a FORMAT clause with the
// rows of body, written as format, and returns the number of rows written. If
// body fails with anything but io.EOF nothing further is committed.
func (c *Conn) Insert(sql, format string, params []Param, body io.Reader) (uint64, error) {
	stream := c.start(c.lib.streamInsert, sql, format, params)
	if stream == nil {
		return 0, errors.New("no insert stream from the engine")
	}
	defer c.lib.destroyInsert(stream)
	if m := cString(c.lib.insertError(stream)); m != "" {
		return 0, &Error{Message: m}
	}
	buf := make([]byte, insertChunkBytes)
	for {
		n, err := io.ReadFull(body, buf)
		if n > 0 && c.lib.streamAppend(stream, unsafe.Pointer(&buf[0]), uintptr(n)) != 0 {
			break // streamDone tells why
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			c.lib.cancelInsert(stream)
			return 0, fmt.Errorf("read insert body: %w", err)
		}
	}
	r, err := c.check(c.lib.streamDone(stream))
	if err != nil {
		return 0, err
	}
	defer r.Free()
	return r.RowsWritten(), nil
}

// Analysis says what a text would do, without running it.
type Analysis struct {
	Statements int  // 0 when the text does not parse
	ReadOnly   bool // every statement only reads
}

// Analyze parses sql with the engine's own parser.
func (c *Conn) Analyze(sql string) (Analysis, error) {
	// struct chdb_query_analysis_v1
	out := &struct{ size, statements, flags, class uint32 }{}
	out.size = uint32(unsafe.Sizeof(*out))
	q := terminated(sql)
	state := c.lib.classify(c.inner(), q, uintptr(len(sql)), nil, 0, unsafe.Pointer(out))
	runtime.KeepAlive(q)
	if state != 0 {
		return Analysis{}, errors.New("statement not analyzed by the engine")
	}
	return Analysis{Statements: int(out.statements), ReadOnly: out.class == 0}, nil
}
