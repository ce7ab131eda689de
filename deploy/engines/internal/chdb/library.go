// Package chdb calls libchdb, the ClickHouse engine as a shared library,
// without cgo.
//
// A process opens one Engine on one data folder and takes a Conn from it for
// each statement; a Conn carries settings and a current database of its own.
// Open switches the library's signal handlers off before the first
// connection, because they would otherwise replace those of the Go runtime
// and turn a recoverable panic into the end of the process.
//
// An Engine may be used by many goroutines at once; a Conn by one at a time.
// Each running statement holds an operating system thread, so callers bound
// how many run.
//
// Source: chdb-io/chdb-core, programs/local/chdb.h of release 26.7.
package chdb

import (
	"fmt"
	"unsafe"

	"github.com/ebitengine/purego"
)

// queryFunc is the shape shared by the calls that take a statement, a format
// and named parameters.
type queryFunc func(conn, sql unsafe.Pointer, sqlLen uintptr, format unsafe.Pointer, formatLen uintptr,
	names, nameLens, values, valueLens unsafe.Pointer, count uintptr) unsafe.Pointer

// library holds the C functions used here, by their name in chdb.h.
type library struct {
	connect           func(argc int32, argv unsafe.Pointer) unsafe.Pointer
	closeConn         func(conn unsafe.Pointer)
	query             queryFunc
	streamQuery       queryFunc
	streamFetch       func(conn, stream unsafe.Pointer) unsafe.Pointer
	streamCancel      func(conn, stream unsafe.Pointer)
	destroyResult     func(result unsafe.Pointer)
	resultBuffer      func(result unsafe.Pointer) unsafe.Pointer
	resultLength      func(result unsafe.Pointer) uintptr
	resultError       func(result unsafe.Pointer) unsafe.Pointer
	resultRowsWritten func(result unsafe.Pointer) uint64
	streamInsert      queryFunc
	streamAppend      func(stream, data unsafe.Pointer, n uintptr) int32
	streamDone        func(stream unsafe.Pointer) unsafe.Pointer
	cancelInsert      func(stream unsafe.Pointer)
	insertError       func(stream unsafe.Pointer) unsafe.Pointer
	destroyInsert     func(stream unsafe.Pointer)
	classify          func(conn, sql unsafe.Pointer, n uintptr, db unsafe.Pointer, dbLen uintptr, out unsafe.Pointer) int32
	setSignalHandlers func(enabled int32)
	version           func() unsafe.Pointer
	shutdown          func() int32
}

// load opens the shared library at path and binds its functions.
func load(path string) (lib *library, err error) {
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	// RegisterLibFunc panics when a symbol is missing: another library, or
	// one of another release.
	defer func() {
		if p := recover(); p != nil {
			lib, err = nil, fmt.Errorf("load %s: %v", path, p)
		}
	}()
	lib = new(library)
	for name, fn := range map[string]any{
		"chdb_connect":                     &lib.connect,
		"chdb_close_conn":                  &lib.closeConn,
		"chdb_query_with_params_n":         &lib.query,
		"chdb_stream_query_with_params_n":  &lib.streamQuery,
		"chdb_stream_fetch_result":         &lib.streamFetch,
		"chdb_stream_cancel_query":         &lib.streamCancel,
		"chdb_destroy_query_result":        &lib.destroyResult,
		"chdb_result_buffer":               &lib.resultBuffer,
		"chdb_result_length":               &lib.resultLength,
		"chdb_result_error":                &lib.resultError,
		"chdb_result_rows_written":         &lib.resultRowsWritten,
		"chdb_stream_insert_with_params_n": &lib.streamInsert,
		"chdb_stream_append":               &lib.streamAppend,
		"chdb_stream_done":                 &lib.streamDone,
		"chdb_stream_cancel_insert":        &lib.cancelInsert,
		"chdb_stream_insert_error":         &lib.insertError,
		"chdb_destroy_insert_stream":       &lib.destroyInsert,
		"chdb_classify_query_n":            &lib.classify,
		"chdb_set_signal_handlers_enabled": &lib.setSignalHandlers,
		"chdb_version":                     &lib.version,
		"chdb_shutdown":                    &lib.shutdown,
	} {
		purego.RegisterLibFunc(fn, handle, name)
	}
	return lib, nil
}

// cString copies a NUL-terminated string out of the library's memory.
func cString(p unsafe.Pointer) string {
	if p == nil {
		return ""
	}
	n := 0
	for *(*byte)(unsafe.Add(p, n)) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(p), n))
}

// terminated copies s into memory the library may read, with a NUL after it.
func terminated(s string) unsafe.Pointer {
	b := make([]byte, len(s)+1)
	copy(b, s)
	return unsafe.Pointer(&b[0])
}
