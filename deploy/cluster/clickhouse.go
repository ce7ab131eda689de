package main

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"syscall"
)

// clickHouse is the ClickHouse engine's HTTP port as a server of its own.
type clickHouse struct {
	dir, program   string
	port           int
	user, password string
}

const clickHouseDatabase = "vitascope"

func (c *clickHouse) name() string               { return "clickhouse" }
func (c *clickHouse) stopSignal() syscall.Signal { return syscall.SIGTERM }

func (c *clickHouse) prepare(context.Context) error {
	_, err := exec.LookPath(c.program)
	return err
}

func (c *clickHouse) command() *exec.Cmd {
	cmd := exec.Command(c.program, "engine", "clickhouse",
		"--data", c.dir, "--listen", loopback(c.port), "--database", clickHouseDatabase)
	cmd.Env = append(os.Environ(), "CLICKHOUSE_USER="+c.user, "CLICKHOUSE_PASSWORD="+c.password)
	return cmd
}

func (c *clickHouse) url(path string) string {
	return (&url.URL{Scheme: "http", User: url.UserPassword(c.user, c.password), Host: loopback(c.port), Path: path}).String()
}

func (c *clickHouse) ready(ctx context.Context) error { return answersOK(ctx, c.url("/ping")) }

func (c *clickHouse) environment() map[string]string {
	return map[string]string{
		"VITASCOPE_CLICKHOUSE_URL": c.url("/" + clickHouseDatabase),
		"TEST_CLICKHOUSE_URL":      c.url("/" + clickHouseDatabase),
	}
}
