"""The engines fail: PostgreSQL, NATS, a disk. Each module registers its scenarios when it is imported."""
