"""``evenkeel``: starts the service or its parts, and talks to a running one over HTTP.

Heavy imports wait inside the commands that need them, so that ``evenkeel --help`` answers at once.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from cli.errors import INTERRUPTED, CliError
