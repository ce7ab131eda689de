package engines_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/deploy/engines"
)

// open connects as the product does.
func open(t *testing.T, url string, method clickhouse.CompressionMethod) driver.Conn {
	t.Helper()
	opts, err := clickhouse.ParseDSN(url)
	require.NoError(t, err)
	opts.Compression = &clickhouse.Compression{Method: method, Level: 1}
	conn, err := clickhouse.Open(opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	return conn
}

// code is the exception's code, 0 if err is something else.
func code(err error) int {
	if e, ok := errors.AsType[*clickhouse.Exception](err); ok {
		return int(e.Code)
	}
	return 0
}

func TestClickHouse(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, t.TempDir())
	cfg.ClickHouse = true
	_, endpoints := start(t, cfg)
	url := endpoints.ClickHouseURL()
	conn := open(t, url, clickhouse.CompressionNone)

	// A group, so that the engine outlives its parallel subtests.
	t.Run("serves clickhouse-go", func(t *testing.T) {
		for name, method := range map[string]clickhouse.CompressionMethod{
			"uncompressed": clickhouse.CompressionNone, "gzip": clickhouse.CompressionGZIP,
			"lz4": clickhouse.CompressionLZ4, "zstd": clickhouse.CompressionZSTD,
		} {
			t.Run("types and batches "+name, func(t *testing.T) {
				t.Parallel()
				checkTypes(t, open(t, url, method), "types_"+name)
			})
		}
		t.Run("parameters are bound by the engine", func(t *testing.T) { t.Parallel(); checkParameters(t, conn) })
		t.Run("settings last for one statement and are checked", func(t *testing.T) { t.Parallel(); checkSettings(t, conn) })
		t.Run("errors are typed, also in the middle of a result", func(t *testing.T) { t.Parallel(); checkErrors(t, conn) })
		t.Run("a cancelled statement ends", func(t *testing.T) { t.Parallel(); checkCancel(t, conn) })
		t.Run("a block with a known token is written once", func(t *testing.T) { t.Parallel(); checkDeduplication(t, conn) })
		t.Run("files and addresses are out of reach", func(t *testing.T) { t.Parallel(); checkConfined(t, conn) })
		t.Run("several statements are refused", func(t *testing.T) { t.Parallel(); checkMultiStatements(t, conn) })
	})
	t.Run("speaks plain HTTP", func(t *testing.T) { checkHTTP(t, endpoints.ClickHouseAddr, url) })
}

func checkTypes(t *testing.T, conn driver.Conn, table string) {
	t.Helper()
	ctx := t.Context()
	require.NoError(t, conn.Ping(ctx))
	require.NoError(t, conn.Exec(ctx, `CREATE TABLE `+table+` (id UUID, ts DateTime64(3, 'UTC'), lc LowCardinality(String),
		spans Array(Tuple(UInt32, UInt32)), m Map(String, UInt64), n Nullable(Int32), e Enum8('a' = 1, 'b' = 2),
		ip IPv6, d Date, f Float64, s String, b Bool, nested Nested(x UInt8, y String)) ENGINE = MergeTree ORDER BY ts`))
	const rows = 1000
	id, begin := uuid.New(), time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	batch, err := conn.PrepareBatch(ctx, "INSERT INTO "+table)
	require.NoError(t, err)
	for i := range rows {
		var n *int32
		if i%2 == 1 {
			n = new(int32(i))
		}
		require.NoError(t, batch.Append(id, begin.Add(time.Duration(i)*time.Millisecond), "lc", [][]any{{uint32(i), uint32(i + 1)}},
			map[string]uint64{"k": uint64(i)}, n, []string{"a", "b"}[i%2], net.ParseIP("2001:db8::1"), begin, 1.5, "tab\tünï", i%2 == 0,
			[]uint8{1, 2}, []string{"p", "q"}))
	}
	require.NoError(t, batch.Send())

	var (
		gotID  uuid.UUID
		ts     time.Time
		lc, s  string
		spans  [][]any
		m      map[string]uint64
		n      *int32
		e      string
		ip     net.IP
		f      float64
		b      bool
		nested []string
		count  uint64
	)
	require.NoError(t, conn.QueryRow(ctx, "SELECT id, ts, lc, spans, m, n, e, ip, f, s, b, nested.y FROM "+table+" ORDER BY ts LIMIT 1 OFFSET 1").
		Scan(&gotID, &ts, &lc, &spans, &m, &n, &e, &ip, &f, &s, &b, &nested))
	require.Equal(t, id, gotID)
	require.Equal(t, begin.Add(time.Millisecond), ts.UTC())
	require.Equal(t, [][]any{{uint32(1), uint32(2)}}, spans)
	require.Equal(t, map[string]uint64{"k": 1}, m)
	require.EqualValues(t, 1, *n)
	require.Equal(t, []any{"lc", "b", "tab\tünï", "2001:db8::1", 1.5, false}, []any{lc, e, s, ip.String(), f, b})
	require.Equal(t, []string{"p", "q"}, nested)
	require.NoError(t, conn.QueryRow(ctx, "SELECT uniqExact(ts) FROM "+table).Scan(&count))
	require.EqualValues(t, rows, count)

	require.NoError(t, conn.Exec(ctx, "INSERT INTO "+table+" (id, s) VALUES (?, ?)", id, "it's; one"))
	require.NoError(t, conn.AsyncInsert(ctx, "INSERT INTO "+table+" (id, s) VALUES (?, ?)", true, id, "async"))
	require.NoError(t, conn.Exec(ctx, "INSERT INTO "+table+" (id, s) SELECT id, s FROM "+table+" WHERE s = 'async'"))
	require.NoError(t, conn.QueryRow(ctx, "SELECT count() FROM "+table).Scan(&count))
	require.EqualValues(t, rows+3, count)

	streamed, err := conn.Query(ctx, "SELECT number, toString(number) FROM numbers(300000)")
	require.NoError(t, err)
	read := 0
	for streamed.Next() {
		read++
	}
	require.NoError(t, streamed.Err())
	require.Equal(t, 300000, read)
}

func checkParameters(t *testing.T, conn driver.Conn) {
	t.Helper()
	tricky := "it's \\t\\n \"q\" ünï\t`"
	var got string
	var numbers []uint32
	var column uint8
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT {s:String}, {n:Array(UInt32)}, {c:Identifier} FROM (SELECT 5 AS five)",
		clickhouse.Named("s", tricky), clickhouse.Named("n", []uint32{1, 2}), clickhouse.Named("c", "five")).Scan(&got, &numbers, &column))
	require.Equal(t, tricky, got)
	require.Equal(t, []uint32{1, 2}, numbers)
	require.EqualValues(t, 5, column)
}

func checkSettings(t *testing.T, conn driver.Conn) {
	t.Helper()
	threads := func(settings clickhouse.Settings) (n uint64, err error) {
		ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(settings))
		return n, conn.QueryRow(ctx, "SELECT toUInt64(getSetting('max_threads'))").Scan(&n)
	}
	usual, err := threads(nil)
	require.NoError(t, err)
	set, err := threads(clickhouse.Settings{"max_threads": usual + 1})
	require.NoError(t, err)
	require.Equal(t, usual+1, set)
	again, err := threads(nil)
	require.NoError(t, err)
	require.Equal(t, usual, again)
	_, err = threads(clickhouse.Settings{"no_such_setting": 1})
	require.Equal(t, 115, code(err), "got %v", err)
	_, err = threads(clickhouse.Settings{"max_threads": "many"})
	require.Equal(t, 27, code(err), "got %v", err)
	err = conn.Exec(clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"max_execution_time": 1})),
		"SELECT sum(sipHash64(number)) FROM numbers(100000000000)")
	require.Equal(t, 159, code(err), "got %v", err)
}

func checkErrors(t *testing.T, conn driver.Conn) {
	t.Helper()
	require.Equal(t, 60, code(conn.Exec(t.Context(), "SELECT * FROM no_such_table")))
	require.Equal(t, 62, code(conn.Exec(t.Context(), "SELEC 1")))
	require.Equal(t, 62, code(conn.Exec(t.Context(), "SELECT 1 FROM (")))
	rows, err := conn.Query(t.Context(), "SELECT throwIf(number = 500000, 'boom'), number FROM numbers(1000000) SETTINGS max_block_size = 10000")
	require.NoError(t, err)
	read := 0
	for rows.Next() {
		read++
	}
	require.Positive(t, read)
	require.Equal(t, 395, code(rows.Err()), "got %v", rows.Err())
}

func checkCancel(t *testing.T, conn driver.Conn) {
	t.Helper()
	for _, sql := range []string{
		"SELECT sum(sipHash64(number)) AS cancelled FROM numbers(100000000000)",
		"SELECT number, sipHash64(number) AS cancelled FROM numbers(100000000000)",
		"SELECT count() AS cancelled FROM numbers(100000000000) GROUP BY number % 1000 FORMAT JSON",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		rows, err := conn.Query(ctx, sql)
		if err == nil {
			for rows.Next() {
			}
			err = rows.Err()
		}
		cancel()
		require.Error(t, err)
	}
	require.Eventually(t, func() bool {
		var left uint64
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT count() FROM system.processes "+
			"WHERE query LIKE '%cancelled%' AND query NOT LIKE '%system.processes%'").Scan(&left))
		return left == 0
	}, 3*time.Minute, 50*time.Millisecond)
}

func checkDeduplication(t *testing.T, conn driver.Conn) {
	t.Helper()
	require.NoError(t, conn.Exec(t.Context(), "CREATE TABLE once (n UInt32) ENGINE = MergeTree ORDER BY n"))
	send := func(token string, n uint32) {
		ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": token}))
		batch, err := conn.PrepareBatch(ctx, "INSERT INTO once")
		require.NoError(t, err)
		require.NoError(t, batch.Append(n))
		require.NoError(t, batch.Send())
	}
	send("topic-0-1", 1)
	send("topic-0-1", 1)
	send("topic-0-2", 1)
	var rows uint64
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count() FROM once").Scan(&rows))
	require.EqualValues(t, 2, rows)
}

func checkConfined(t *testing.T, conn driver.Conn) {
	t.Helper()
	var reached bool
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true })}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	secret := t.TempDir() + "/secret"
	require.NoError(t, os.WriteFile(secret, []byte("1\n"), 0o644))
	const cannotOpenFile = 76 // the engine's word for "Permission denied"
	for sql, want := range map[string]int{
		"SELECT * FROM file('/etc/passwd', 'LineAsString')":                           cannotOpenFile,
		"SELECT * FROM file('" + secret + "', 'LineAsString')":                        cannotOpenFile,
		fmt.Sprintf("SELECT * FROM file('/proc/%d/environ', 'RawBLOB')", os.Getpid()): cannotOpenFile,
		"SELECT 1 INTO OUTFILE '" + secret + ".out'":                                  cannotOpenFile,
		"INSERT INTO FUNCTION file('" + secret + ".out', 'CSV', 'a UInt8') SELECT 1":  cannotOpenFile,
		"SELECT * FROM url('http://" + l.Addr().String() + "/', 'CSV', 'a UInt8')":    1001, // an I/O error
		"SELECT * FROM executable('id', 'TSV', 'a String')":                           1,    // not among its scripts
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"http_max_tries": 1}))
		rows, err := conn.Query(ctx, sql)
		if err == nil {
			for rows.Next() {
			}
			err = rows.Err()
		}
		cancel()
		require.Equal(t, want, code(err), "%s: got %v", sql, err)
	}
	require.False(t, reached)
	require.NoFileExists(t, secret+".out")
}

func checkMultiStatements(t *testing.T, conn driver.Conn) {
	t.Helper()
	require.NoError(t, conn.Exec(t.Context(), "CREATE TABLE kept (n UInt8) ENGINE = MergeTree ORDER BY n"))
	for _, sql := range []string{
		"SELECT 1; SELECT 2", "SELECT 1; DROP TABLE kept", "DROP TABLE kept; garbage(",
		"INSERT INTO kept VALUES (1); DROP TABLE kept",
	} {
		require.Equal(t, 62, code(conn.Exec(t.Context(), sql)), sql)
	}
	var n uint64
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count() FROM kept").Scan(&n))
	require.NoError(t, conn.Exec(t.Context(), "SELECT ';' -- one; statement\n;"))
}

func checkHTTP(t *testing.T, addr, url string) {
	t.Helper()
	status, body := post(t, "http://"+addr+"/ping", "")
	require.Equal(t, []any{http.StatusOK, "Ok.\n"}, []any{status, body})
	status, body = post(t, "http://"+addr+"/", "SELECT 1")
	require.Equal(t, http.StatusForbidden, status)
	require.Contains(t, body, "Code: 516.")
	status, body = post(t, url+"?database=vitascope&default_format=JSONCompact", "SELECT currentDatabase() AS d")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `["vitascope"]`)
	status, body = post(t, url+"?database=nowhere", "SELECT 1")
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, body, "Code: 81.")
	status, _ = post(t, url+"?database=vitascope", "CREATE TABLE csv (a UInt8, b String) ENGINE = MergeTree ORDER BY a")
	require.Equal(t, http.StatusOK, status)
	status, body = post(t, url+"?database=vitascope&query=INSERT+INTO+csv+FORMAT+CSV", "1,x\n2,y\n")
	require.Equal(t, http.StatusOK, status, body)
	status, body = post(t, url+"?database=vitascope", "INSERT INTO csv FORMAT JSONEachRow\n{\"a\":3,\"b\":\"z\"}\n")
	require.Equal(t, http.StatusOK, status, body)
	status, body = post(t, url+"?database=vitascope&param_a=1", "SELECT b FROM csv WHERE a > {a:UInt8} ORDER BY a FORMAT TSV")
	require.Equal(t, []any{http.StatusOK, "y\nz\n"}, []any{status, body})
	res, err := http.Get(url + "?database=vitascope&query=DROP+TABLE+csv")
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, "164", res.Header.Get("X-ClickHouse-Exception-Code"), "GET must not change anything")
}

func TestClickHouseComesBackAfterItsDeath(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, t.TempDir())
	cfg.ClickHouse = true
	e, endpoints := start(t, cfg)
	conn := open(t, endpoints.ClickHouseURL(), clickhouse.CompressionNone)
	ctx := t.Context()
	require.NoError(t, conn.Exec(ctx, "CREATE TABLE kept (n UInt32) ENGINE = MergeTree ORDER BY n"))
	for round := range 2 {
		require.NoError(t, conn.Exec(ctx, fmt.Sprintf("INSERT INTO kept SELECT number FROM numbers(%d, 1000)", round*1000)))
		child := childOf(t, os.Getpid(), cfg.DataDir)
		require.NoError(t, syscall.Kill(child, syscall.SIGKILL))
		gone(t, child)
		require.Eventually(t, func() bool {
			var rows uint64
			ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			err := conn.QueryRow(ctx, "SELECT count() FROM kept").Scan(&rows)
			return err == nil && rows == uint64(round+1)*1000
		}, 3*time.Minute, 50*time.Millisecond)
	}
	require.Eventually(t, func() bool { return e.Health()["clickhouse"] == nil }, 3*time.Minute, 10*time.Millisecond)
}

func TestClickHouseDiesWithItsParent(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, t.TempDir())
	cfg.ClickHouse = true
	h := startHelper(t, cfg)
	child := childOf(t, h.Process.Pid, cfg.DataDir)
	require.NotZero(t, child)
	h.kill(t)
	gone(t, child)
}

func TestClickHouseRunsAsAServerOfItsOwn(t *testing.T) {
	t.Parallel()
	cfg := engines.DefaultClickHouseConfig(t.TempDir())
	require.ErrorContains(t, engines.RunClickHouseServer(t.Context(), cfg, testLog(t), nil), "password")
	cfg.Password = "secret"
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- engines.RunClickHouseServer(ctx, cfg, testLog(t), func(addr string) { ready <- addr })
	}()
	conn := open(t, "http://vitascope:secret@"+<-ready+"/vitascope", clickhouse.CompressionNone)
	require.NoError(t, conn.Ping(ctx))
	require.ErrorIs(t, engines.RunClickHouseServer(ctx, cfg, testLog(t), nil), engines.ErrDataDirInUse)
	cancel()
	require.NoError(t, <-ended)
}

// TestClickHouseMemory reports what the engine costs, and holds it to the
// budget that leaves room for the rest of the product.
func TestClickHouseMemory(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, t.TempDir())
	cfg.ClickHouse = true
	begin := time.Now()
	_, endpoints := start(t, cfg)
	took := time.Since(begin)
	child := childOf(t, os.Getpid(), cfg.DataDir)
	idle := residentMiB(t, child)
	conn := open(t, endpoints.ClickHouseURL(), clickhouse.CompressionNone)
	err := conn.Exec(t.Context(), "SELECT length(groupArray(number)) FROM numbers(1000000000)")
	require.Equal(t, 241, code(err), "a statement beyond the limit is refused: got %v", err)
	after := residentMiB(t, child)
	t.Logf("clickhouse answered after %s with %d MiB resident, %d MiB after a statement that hit the limit", took, idle, after)
	require.Less(t, idle, 400)
	require.Less(t, after, int(cfg.ClickHouseMemoryBytes>>20)+300)
}

func residentMiB(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	for line := range strings.Lines(string(b)) {
		var kib int
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kib); n == 1 {
			return kib >> 10
		}
	}
	t.Fatal("no VmRSS")
	return 0
}
