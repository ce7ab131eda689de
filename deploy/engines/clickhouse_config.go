package engines

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"path/filepath"
)

// serverXML is the configuration of the embedded server. Its background pools
// need no settings: the library starts them with one or two threads.
//
//   - fsync_*: an acknowledged insert is on disk; measured, it costs nothing.
//   - non_replicated_deduplication_window: how many recent blocks per table
//     are remembered by their insert_deduplication_token, so that the sink may
//     write a block twice after a crash.
//   - min_columns_to_activate_adaptive_write_buffer: a part is written through one
//     buffer a column, which take 4 MiB each unless they grow with what they hold;
//     a view has near a hundred columns.
//   - The caches default to gigabytes, for machines that do nothing else.
const serverXML = `<clickhouse>
  <tmp_path>%[1]s</tmp_path>
  <user_files_path>%[2]s</user_files_path>
  <format_schema_path>%[3]s</format_schema_path>
  <timezone>UTC</timezone>
  <max_server_memory_usage>%[4]d</max_server_memory_usage>
  <mark_cache_size>33554432</mark_cache_size>
  <index_mark_cache_size>8388608</index_mark_cache_size>
  <uncompressed_cache_size>16777216</uncompressed_cache_size>
  <index_uncompressed_cache_size>4194304</index_uncompressed_cache_size>
  <primary_index_cache_size>33554432</primary_index_cache_size>
  <compiled_expression_cache_size>16777216</compiled_expression_cache_size>
  <query_cache><max_size_in_bytes>8388608</max_size_in_bytes></query_cache>
  <max_thread_pool_free_size>16</max_thread_pool_free_size>
  <merge_tree>
    <fsync_after_insert>1</fsync_after_insert>
    <fsync_part_directory>1</fsync_part_directory>
    <non_replicated_deduplication_window>1000</non_replicated_deduplication_window>
    <min_columns_to_activate_adaptive_write_buffer>1</min_columns_to_activate_adaptive_write_buffer>
  </merge_tree>
</clickhouse>
`

func serverConfig(dataDir string, memoryBytes int64) ([]byte, error) {
	var paths [3]any
	for i, name := range []string{"tmp", "user_files", "format_schemas"} {
		var b bytes.Buffer
		if err := xml.EscapeText(&b, []byte(filepath.Join(dataDir, name)+"/")); err != nil {
			return nil, err
		}
		paths[i] = b.String()
	}
	return fmt.Appendf(nil, serverXML, paths[0], paths[1], paths[2], memoryBytes), nil
}
