"""`python -m cosim` is `cosim`."""

from cosim.host.safe_path import leave_current_directory

leave_current_directory()

from cosim.cli.app import main  # noqa: E402

main()
