def test_widgets_that_do_not_fit_below_one_another_become_tabs(qtbot, make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    window = viewer.window._qt_window
    window.resize(1280, 800)
    study = viewer.window.add_plugin_dock_widget("napari-ubam", "Study")[0]
    video = viewer.window.add_plugin_dock_widget("napari-ubam", "Video")[0]
    qtbot.wait(100)
    assert window.tabifiedDockWidgets(study) == []  # there is room for both
    viewer.window.remove_dock_widget(video)
    train = viewer.window.add_plugin_dock_widget("napari-ubam", "Train")[0]
    qtbot.waitUntil(lambda: window.tabifiedDockWidgets(study) == [train], timeout=10_000)
    qtbot.waitUntil(lambda: window.height() <= 800, timeout=10_000)
    assert train.isVisible()
    train.widget().start_button.setFocus()
    compare = viewer.window.add_plugin_dock_widget("napari-ubam", "Compare groups")[0]
    qtbot.waitUntil(lambda: set(window.tabifiedDockWidgets(compare)) == {study, train}, timeout=10_000)
    assert compare.widget().isVisible()


def test_widgets_become_tabs_when_one_of_them_grows_and_the_one_in_use_stays_in_front(qtbot, make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    window = viewer.window._qt_window
    window.resize(1280, 800)
    names = ("Magnify", "Keypoints", "Video")
    magnify, keypoints, video = (viewer.window.add_plugin_dock_widget("napari-ubam", name)[0] for name in names)
    qtbot.wait(100)
    assert window.tabifiedDockWidgets(magnify) == []
    magnify.widget().compare.choice.setFocus()
    video.widget().state.setMinimumHeight(400)
    qtbot.waitUntil(lambda: set(window.tabifiedDockWidgets(magnify)) == {keypoints, video}, timeout=10_000)
    qtbot.waitUntil(lambda: window.height() <= 800, timeout=10_000)
    assert magnify.widget().isVisible()
