"""
Maps and profiles of what an ensemble predicts.

From the command to a block of a map, by who calls whom::

    draw.draw                           all models of an experiment
      planning.open_drawn_dataset
      model_drawing.draw_model          one model: maps, tables, mosaics, profiles
        planning.plan_maps              which maps, and what they follow from
        drawing_tasks.drawing_into      holds the folder; with shards or workers,
                                        until all have drawn their features
        drawing_tasks.draw_features     here, or by processes of this command
          feature_maps.draw_feature     the maps of one feature, as files
            maps.predict_blocks         block by block
        presentation.show_maps          mosaics, styles and the overview
        profiles.draw_profile
"""
