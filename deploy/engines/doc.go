// Package engines runs, inside and below this process, the three engines that
// a standalone Vitascope uses in place of a cluster: an S3 object store, a
// Kafka log and a ClickHouse database, all on loopback with one data folder.
//
// The rest of the product reaches them through the same clients and protocols
// as their big counterparts, so it does not know that they are here.
//
//   - S3 is versitygw's posix gateway, in process: objects are plain files
//     under <data>/s3/objects, synced to disk before a write is acknowledged.
//     It changes the working directory of the process while it runs, so paths
//     must be absolute by then, and there can be one per process.
//   - Kafka is franz-go's kfake, in process: one broker, segments under
//     <data>/kafka, synced before a produce is acknowledged.
//   - ClickHouse is libchdb in a child process that is this very program again
//     (see MaybeRunChild), because the engine may crash, and confined by
//     Landlock, because its SQL can read files and fetch addresses. It listens
//     on a socket that the parent keeps, so the port survives a restart.
//
// Engines starts those that are asked for, restarts one that dies, with
// growing pauses, on the same port and data, tells the health of each, and
// stops them. All three survive kill -9 without losing what they acknowledged.
//
// Engines may be used by many goroutines at once.
package engines
