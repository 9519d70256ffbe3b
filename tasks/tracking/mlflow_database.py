"""Make an empty database of MLflow: `python -P -m tasks.tracking.mlflow_database PATH`."""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from tasks.storage.database_url import sqlite_url


def main(path: Path) -> None:
    """Make the tables in a new file."""
    SqlAlchemyStore(sqlite_url(path), str(path.parent))  # type: ignore[no-untyped-call]
    with closing(sqlite3.connect(path)) as database, database:
        # MLflow's default experiment refers to this folder; MLflow recreates it when opening a
        # copy.
        database.execute("DELETE FROM experiments")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
