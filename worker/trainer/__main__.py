"""``python -m worker.trainer --parent PID``: the start of the trainer process."""

import gc


def main() -> None:
    # what the imports create stays until the end; searching it for garbage again and again takes
    # a sixth of the start
    gc.disable()
    from worker.trainer import service

    gc.freeze()
    gc.enable()
    service.main()


if __name__ == "__main__":
    main()
