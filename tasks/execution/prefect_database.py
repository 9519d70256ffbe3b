"""Make an empty database of Prefect: `python -P -m tasks.execution.prefect_database PATH`."""

import asyncio
import os
import sys
from pathlib import Path

from tasks.storage.database_url import sqlite_url


def main(path: Path) -> None:
    """Run all migrations on a new file."""
    os.environ |= {
        "PREFECT_HOME": str(path.parent),
        "PREFECT_PROFILES_PATH": str(path.parent / "no-profiles.toml"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": sqlite_url(path, "aiosqlite"),
    }
    # Imported only now: Prefect reads the environment on import.
    from prefect.server.database import provide_database_interface  # noqa: PLC0415

    asyncio.run(provide_database_interface().create_db())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
