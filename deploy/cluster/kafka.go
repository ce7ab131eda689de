package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// kafka is one Apache Kafka node, broker and KRaft controller at once.
type kafka struct {
	dir, jars            string
	port, controllerPort int
}

func (k *kafka) name() string               { return "kafka" }
func (k *kafka) stopSignal() syscall.Signal { return syscall.SIGTERM }
func (k *kafka) properties() string         { return filepath.Join(k.dir, "server.properties") }

// prepare formats the log folder as StorageTool does for a new cluster. Topics
// are not created by accident, as on a careful site.
func (k *kafka) prepare(ctx context.Context) error {
	if err := installed(filepath.Join(k.jars, "pom.xml")); err != nil {
		return err
	}
	if err := os.MkdirAll(k.dir, 0o755); err != nil {
		return err
	}
	text := strings.Join([]string{
		"process.roles=broker,controller",
		"node.id=1",
		"controller.quorum.voters=1@" + loopback(k.controllerPort),
		"controller.listener.names=CONTROLLER",
		"listeners=PLAINTEXT://" + loopback(k.port) + ",CONTROLLER://" + loopback(k.controllerPort),
		"advertised.listeners=PLAINTEXT://" + loopback(k.port),
		"log.dirs=" + filepath.Join(k.dir, "data"),
		"auto.create.topics.enable=false",
		"offsets.topic.replication.factor=1",
		"offsets.topic.num.partitions=1",
		"transaction.state.log.replication.factor=1",
		"transaction.state.log.min.isr=1",
		"transaction.state.log.num.partitions=1",
		"share.coordinator.state.topic.replication.factor=1",
		"share.coordinator.state.topic.min.isr=1",
		"group.initial.rebalance.delay.ms=0",
		"log.cleaner.dedupe.buffer.size=16777216", // its least, for the small heap
	}, "\n")
	if err := os.WriteFile(k.properties(), []byte(text), 0o644); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(k.dir, "data", "meta.properties")); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	id := make([]byte, 16)
	rand.Read(id)
	// One argument with its value: an id may begin with a dash.
	return runOnce(k.java(ctx, "kafka.tools.StorageTool", "format",
		"--cluster-id="+base64.RawURLEncoding.EncodeToString(id), "--config", k.properties()))
}

func (k *kafka) java(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "java", append([]string{
		"-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", // quick to start, small
		"-Dorg.slf4j.simpleLogger.showDateTime=true",
		"-cp", filepath.Join(k.jars, "*"),
	}, args...)...)
}

func (k *kafka) command() *exec.Cmd {
	return k.java(context.Background(), "kafka.Kafka", k.properties())
}

// ready looks for Kafka's own word that it is up: making the topics is left to
// Vitascope, and asking for one that is missing tells little.
func (k *kafka) ready(ctx context.Context) error {
	raw, err := os.ReadFile(logPath(filepath.Dir(k.dir), k.name()))
	if err != nil {
		return err
	}
	if !bytes.Contains(raw, []byte("Kafka Server started")) {
		return errors.New("it has not said that it started")
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", loopback(k.port))
	if err != nil {
		return err
	}
	return conn.Close()
}

func (k *kafka) environment() map[string]string {
	return map[string]string{
		"VITASCOPE_KAFKA_BROKERS": loopback(k.port),
		"TEST_KAFKA_BROKERS":      loopback(k.port),
	}
}

// installed says what to do when a program is missing.
func installed(path string) error {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("run deploy/cluster/install.sh first: %w", err)
	}
	return nil
}
