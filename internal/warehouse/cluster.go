package warehouse

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"github.com/pressly/goose/v3/database"
)

// On a cluster the same migrations make tables that every server of one shard
// keeps a copy of: statements run ON CLUSTER, engines are the Replicated ones of
// their family, whose place in Keeper follows from the server's macros {shard} and
// {replica}, and their deduplication window is the replicated one. Everything else,
// and every query, is as on one server.

var (
	ddlTable = regexp.MustCompile(`(?m)^(CREATE TABLE IF NOT EXISTS|DROP TABLE IF EXISTS|ALTER TABLE) (\w+)`)
	ddlMerge = regexp.MustCompile(`(?m)^(ENGINE = )(\w*MergeTree)(?:\(([^)]*)\))?`)
)

// keeperPath tells tables apart by their identity, so that one that is dropped and
// made again does not meet what the old one left.
const keeperPath = "'/clickhouse/tables/{uuid}/{shard}', '{replica}'"

// onCluster turns DDL for one server into DDL for a cluster.
func onCluster(ddl, cluster string) string {
	ddl = ddlTable.ReplaceAllString(ddl, "$1 $2 ON CLUSTER '"+cluster+"'")
	ddl = ddlMerge.ReplaceAllStringFunc(ddl, func(engine string) string {
		m := ddlMerge.FindStringSubmatch(engine)
		arguments := keeperPath
		if m[3] != "" {
			arguments += ", " + m[3]
		}
		return m[1] + "Replicated" + m[2] + "(" + arguments + ")"
	})
	return strings.ReplaceAll(ddl, "non_replicated_deduplication_window", "replicated_deduplication_window")
}

// migrationFiles returns the migrations, for a cluster when one is named.
func migrationFiles(cluster string) (fs.FS, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil || cluster == "" {
		return files, err
	}
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, err
	}
	var rendered bytes.Buffer // an archive is the standard library's file system in memory
	w := zip.NewWriter(&rendered)
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		file, err := w.Create(name)
		if err != nil {
			return nil, err
		}
		if _, err := file.Write([]byte(onCluster(string(text), cluster))); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return zip.NewReader(bytes.NewReader(rendered.Bytes()), int64(rendered.Len()))
}

// ClusterDDL returns the statements by which Migrate makes the tables of a cluster,
// in order, for who would rather run them by hand.
func ClusterDDL(cluster string) ([]string, error) {
	files, err := migrationFiles(cluster)
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, err
	}
	var list []string
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		for statement := range strings.SplitSeq(comments.ReplaceAllString(string(text), ""), ";") {
			if statement = strings.TrimSpace(statement); statement != "" {
				list = append(list, statement)
			}
		}
	}
	return list, nil
}

var comments = regexp.MustCompile(`(?m)^\s*--.*$`)

// clusterStore keeps the record of migrations on every server: where it was kept
// on one alone, another would be migrated again.
type clusterStore struct {
	database.Store
	cluster string
}

// CreateVersionTable makes goose's table for ClickHouse, replicated.
func (s clusterStore) CreateVersionTable(ctx context.Context, db database.DBTxConn) error {
	_, err := db.ExecContext(ctx, onCluster(fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s (version_id Int64, is_applied UInt8, date Date DEFAULT now(), tstamp DateTime DEFAULT now())
ENGINE = MergeTree
ORDER BY version_id`, s.Tablename()), s.cluster))
	return err
}

// clusterSettings make a read see every write that was answered before, whichever
// server answers: sinks find out by reading where they stand.
func clusterSettings() map[string]any {
	return map[string]any{"insert_quorum": "auto", "insert_quorum_parallel": 0, "select_sequential_consistency": 1, "distributed_ddl_output_mode": "throw"}
}
