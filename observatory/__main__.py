"""`python -m observatory` is the `observatory` command."""

from observatory.cli.main import main

raise SystemExit(main())
