select holder, read_at from projections.circular_reads_v1 where circular = $1
